"""The wording of refusals, and what plugins prefer."""

from __future__ import annotations

import pytest

from scheduler import messages
from tests.scheduler import build

ZONE = "topology.kubernetes.io/zone"


def refusal(pod, *nodes, pods=()):
    table = build.table(*nodes, pods=list(pods))
    return messages.refusal(build.framework().diagnose(pod, table), "")


def test_each_node_counts_for_its_first_reason_and_several_resources_each():
    taint = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
    found = refusal(
        build.info(requests={"cpu": "4", "memory": "8Gi"}),
        build.node("a", taints=[taint]),
        build.node("b", cpu="1"),
        build.node("c", cpu="1", memory="1Gi"),
        build.node("d", unschedulable=True),
    )
    assert found == (
        "0/4 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint {dedicated: gpu}, "
        "1 node(s) were unschedulable, 2 Insufficient cpu."
    )


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (
            build.info(labels={"app": "db"}, affinity=build.apart(build.pod_term({"app": "web"}))),
            "1 node(s) didn't match pod anti-affinity rules",
        ),
        (build.info(affinity=build.near(build.pod_term({"app": "none"}))), "1 node(s) didn't match pod affinity rules"),
        (
            build.info(ports=[{"hostPort": 80, "containerPort": 80}]),
            "1 node(s) didn't have free ports for the requested pod ports",
        ),
        (build.info(labels={"app": "shy"}), "1 node(s) didn't satisfy existing pods anti-affinity rules"),
        (
            build.info(
                topologySpreadConstraints=[
                    {"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
                ]
            ),
            "1 node(s) didn't match pod topology spread constraints (missing required label)",
        ),
    ],
)
def test_reasons_in_the_words_that_people_know(pod, reason):
    runs = build.pod(
        "runs",
        labels={"app": "web"},
        node="a",
        ports=[{"hostPort": 80, "containerPort": 80}],
        affinity=build.apart(build.pod_term({"app": "shy"})),
    )
    assert refusal(pod, build.node("a"), pods=[runs]) == f"0/1 nodes are available: {reason}."


def test_no_nodes_at_all():
    assert refusal(build.info()) == "no nodes available to schedule pods"


def best(pod, *nodes, pods=()):
    table = build.table(*nodes, pods=list(pods))
    return build.framework().place([pod], table).placed[0][1]


def test_preferences():
    wish = {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 5,
                    "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]},
                }
            ]
        }
    }
    assert best(build.info(affinity=wish), build.node("a"), build.node("b", labels={"disk": "ssd"})) == "b"
    soft = [{"key": "k", "effect": "PreferNoSchedule"}]
    assert best(build.info(), build.node("a", taints=soft), build.node("b")) == "b"
    busy = build.pod("busy", node="a", requests={"cpu": "6", "memory": "12Gi"})
    assert (
        best(build.info(requests={"cpu": "1", "memory": "2Gi"}), build.node("a"), build.node("b"), pods=[busy]) == "b"
    )
    image = {
        **build.node("b"),
        "status": {**build.node("b")["status"], "images": [{"names": ["a:1"], "sizeBytes": 900 * 1024 * 1024}]},
    }
    assert best(build.info(), build.node("a"), image) == "b"


def test_replicas_spread_over_nodes_and_zones():
    nodes = [build.node(f"n{i}", labels={ZONE: f"z{i % 2}"}) for i in range(4)]
    spreads = [
        {
            "topologyKey": ZONE,
            "maxSkew": 1,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app": "web"}},
        }
    ]
    table = build.table(*nodes)
    group = [build.info(labels={"app": "web"}, topologySpreadConstraints=spreads) for _ in range(8)]
    placed = [int(name[1:]) % 2 for _, name in build.framework().place(group, table).placed]
    assert placed.count(0) == placed.count(1) == 4
