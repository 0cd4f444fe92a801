"""Properties: filters agree with the simple model, whatever was placed before; no node is ever overcommitted."""

from __future__ import annotations

import copy

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kube import nodematch
from scheduler.plugins.base import View
from scheduler.plugins.node_affinity import NodeAffinity
from scheduler.pods import pod_info
from tests.scheduler import build, model

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"
APPS = st.sampled_from(["web", "db"])
KEYS = st.sampled_from([ZONE, HOST])

taints = st.lists(
    st.builds(
        lambda k, e: {"key": k, "value": "v", "effect": e},
        st.sampled_from("ab"),
        st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"]),
    ),
    max_size=2,
    unique_by=lambda t: (t["key"], t["effect"]),
)
labels = st.fixed_dictionaries(
    {}, optional={ZONE: st.sampled_from(["z1", "z2"]), "disk": st.sampled_from(["ssd", "hdd"])}
)
nodes = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "500m"]),
        st.sampled_from(["1Gi", "2Gi"]),
        st.sampled_from(["2", "5"]),
        labels,
        taints,
        st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=5,
)
tolerations = st.lists(st.fixed_dictionaries({"key": st.sampled_from("ab"), "operator": st.just("Exists")}), max_size=2)
term = st.builds(lambda app, key: build.pod_term({"app": app}, key), APPS, KEYS)
affinity = st.one_of(st.none(), st.builds(build.apart, term), st.builds(build.near, term))
spread = st.lists(
    st.builds(
        lambda app, key, skew, domains: {
            "labelSelector": {"matchLabels": {"app": app}},
            "topologyKey": key,
            "maxSkew": skew,
            "whenUnsatisfiable": "DoNotSchedule",
            "minDomains": domains,
        },
        APPS,
        KEYS,
        st.integers(1, 2),
        st.integers(1, 3),
    ),
    max_size=1,
)
pods = st.lists(
    st.tuples(
        APPS,
        st.sampled_from(["100m", "500m", "1500m"]),
        st.sampled_from(["0", "512Mi"]),
        tolerations,
        affinity,
        spread,
        st.sampled_from([{}, {}, {"disk": "ssd"}]),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=6,
)


def make_nodes(drawn):
    return [
        build.node(f"n{i}", cpu=cpu, memory=memory, pods=count, labels=found, taints=tainted, unschedulable=off)
        for i, (cpu, memory, count, found, tainted, off) in enumerate(drawn)
    ]


def make_pods(number, drawn):
    app, cpu, memory, tolerated, wanted, spreads, selector, copies = drawn
    spec = {"tolerations": tolerated, "topologySpreadConstraints": spreads, "nodeSelector": selector}
    if wanted:
        spec["affinity"] = wanted
    return [
        build.pod(f"p{number}-{i}", labels={"app": app}, requests={"cpu": cpu, "memory": memory}, **copy.deepcopy(spec))
        for i in range(copies)
    ]


@given(nodes, pods)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_filters_and_placements_agree_with_the_model(drawn_nodes, drawn_pods):
    made = make_nodes(drawn_nodes)
    by_name = {n["metadata"]["name"]: n for n in made}
    table, framework = build.table(*made), build.framework()
    running: list = []
    for number, drawn in enumerate(drawn_pods):
        group = make_pods(number, drawn)
        infos = [pod_info(p) for p in group]
        expected = [model.fits(group[0], n, by_name, running) for n in made]
        assert framework.feasible(infos[0], View(table)).tolist() == expected
        assert [framework.fits_on(infos[0], table, slot) for slot in range(len(made))] == expected
        result = framework.place(infos, table)
        for placed, name in result.placed:
            pod = next(p for p in group if p["metadata"]["name"] == placed.name)
            assert model.fits(pod, by_name[name], by_name, running)
            running.append({**pod, "spec": {**pod["spec"], "nodeName": name}})
        if result.refused:
            left = next(p for p in group if p["metadata"]["name"] == result.refused[0].name)
            assert not any(model.fits(left, n, by_name, running) for n in made)
    for n in made:
        taken, offered = model.used(n["metadata"]["name"], running), model.room(n)
        assert all(taken[r] <= offered[r] for r in offered)


VALUES = st.sampled_from(["ssd", "4", "+16", "1_0", "9223372036854775808", ""])
requirement = st.builds(
    lambda key, operator, values: {"key": key, "operator": operator, "values": values},
    st.sampled_from(["disk", "cores", HOST, "nowhere", "metadata.name"]),
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]),
    st.lists(st.one_of(VALUES, st.sampled_from(["n0", "n1"])), max_size=2),
)
requirements = st.lists(requirement, max_size=2)
node_terms = st.fixed_dictionaries({}, optional={"matchExpressions": requirements, "matchFields": requirements})
asking = st.fixed_dictionaries(
    {},
    optional={
        "nodeSelector": st.dictionaries(st.sampled_from(["disk", "cores", "nowhere"]), VALUES, max_size=2),
        "affinity": st.builds(
            lambda terms: {
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
            },
            st.lists(node_terms, max_size=2),
        ),
    },
)


@given(st.lists(st.dictionaries(st.sampled_from(["disk", "cores"]), VALUES), min_size=1, max_size=4), asking)
@settings(max_examples=300, deadline=None)
def test_node_affinity_says_of_all_nodes_what_nodematch_says_of_each(drawn_labels, spec):
    made = [build.node(f"n{i}", labels=found) for i, found in enumerate(drawn_labels)]
    refused = NodeAffinity().filter(build.info(**spec), View(build.table(*made)))
    suits = [nodematch.selects(spec, n["metadata"]["name"], n["metadata"]["labels"]) for n in made]
    assert suits == (list(~refused[0].fails) if refused else [True] * len(made))


@given(nodes, pods, st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_table_changed_step_by_step_equals_one_built_anew(drawn_nodes, drawn_pods, data):
    made = make_nodes(drawn_nodes)
    table, framework = build.table(*made), build.framework()
    infos = [pod_info(p) for number, drawn in enumerate(drawn_pods) for p in make_pods(number, drawn)]
    for each in infos:
        framework.place([each], table)
    gone = data.draw(st.sets(st.sampled_from(made and [n["metadata"]["name"] for n in made])))
    for name in gone:
        table.drop_node(name)
    for each in data.draw(st.lists(st.sampled_from(infos), unique_by=id)):
        table.drop_pod(each.uid)
    for n in made:
        table.put_node(n)
    fresh = build.table(*made)
    for _, each in table.each_pod():
        fresh.put_pod(each)
    for name, slot in fresh.slots.items():
        old = table.slots[name]
        for resource in ("pods", "cpu", "memory"):
            assert table.used.of(resource, slice(old, old + 1)) == fresh.used.of(resource, slice(slot, slot + 1))
        assert np.array_equal(table.scoring[:, old], fresh.scoring[:, slot])
        probe = infos[0]
        assert framework.fits_on(probe, table, old) == framework.fits_on(probe, fresh, slot)
