"""Ownership of fields and server-side apply."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.pods import pod as bench_pod
from kube import managedfields as mf
from kube.errors import ApiError, BadRequest
from kube.managedfields import sets
from kube.managedfields.merge import woven
from kube.objects import Json

DEPLOYMENT = "io.k8s.api.apps.v1.Deployment"
CONFIG_MAP = "io.k8s.api.core.v1.ConfigMap"
NOW = "2026-01-02T03:04:05Z"


def writer(name: str, operation: str = "Apply", version: str = "apps/v1", subresource: str = "") -> mf.Writer:
    return mf.Writer(name, version, operation, subresource)


def config(*containers: Json, **spec: Any) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "x"},
        "spec": {**spec, "template": {"spec": {"containers": list(containers)}}},
    }


def apply(live: Json | None, obj: Json, name: str = "m1", force: bool = False) -> Json:
    return mf.apply(live, obj, writer(name), DEPLOYMENT, has_status=True, force=force, now=NOW)


def containers(obj: Json) -> list[Json]:
    found: list[Json] = obj["spec"]["template"]["spec"]["containers"]
    return found


def fields(obj: Json, name: str) -> Any:
    return next((e["fieldsV1"] for e in obj["metadata"]["managedFields"] if e["manager"] == name), None)


def test_a_creation_owns_what_it_set_but_not_what_is_always_there() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x", "uid": "u", "labels": {"a": "b"}},
        "spec": {"type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]},
        "status": {},
    }
    (entry,) = mf.update(None, service, writer("c", "Update", "v1"), "io.k8s.api.core.v1.Service", True, NOW)
    assert entry == {
        "manager": "c",
        "operation": "Update",
        "apiVersion": "v1",
        "time": NOW,
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {
                "f:type": {},
                "f:ports": {
                    ".": {},
                    'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {}},
                },
            },
        },
    }


def test_an_update_takes_fields_over_and_forgets_removed_ones() -> None:
    old: Json = {"metadata": {"name": "x"}, "data": {"a": "1", "b": "2"}}
    old["metadata"]["managedFields"] = mf.update(None, old, writer("one", "Update", "v1"), CONFIG_MAP, False, NOW)
    new = {"metadata": {"name": "x"}, "data": {"a": "9"}}
    entries = mf.update(old, new, writer("two", "Update", "v1"), CONFIG_MAP, False)
    assert {e["manager"]: e["fieldsV1"] for e in entries} == {"one": {"f:data": {}}, "two": {"f:data": {"f:a": {}}}}


def test_a_write_that_changes_nothing_leaves_the_owners() -> None:
    old: Json = {"metadata": {"name": "x"}, "data": {"a": "1"}}
    entries = mf.update(None, old, writer("one", "Update", "v1"), CONFIG_MAP, False, NOW)
    old["metadata"]["managedFields"] = entries
    assert (
        mf.update(
            old, {"metadata": {"name": "x"}, "data": {"a": "1"}}, writer("two", "Update", "v1"), CONFIG_MAP, False
        )
        == entries
    )


def test_status_belongs_to_its_subresource() -> None:
    old: Json = {"metadata": {"name": "x"}, "spec": {}, "status": {}}
    new = {"metadata": {"name": "x"}, "spec": {"replicas": 3}, "status": {"replicas": 1}}
    main = mf.update(old, new, writer("m", "Update"), DEPLOYMENT, True)
    status = mf.update(old, new, writer("m", "Update", subresource="status"), DEPLOYMENT, True)
    assert main[0]["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert (status[0]["fieldsV1"], status[0]["subresource"]) == ({"f:status": {"f:replicas": {}}}, "status")


def test_updaters_are_bounded() -> None:
    obj: Json = {"metadata": {"name": "x"}, "data": {}}
    for i in range(15):
        new = {"metadata": {"name": "x"}, "data": {**obj["data"], f"k{i}": "v"}}
        new["metadata"]["managedFields"] = mf.update(
            obj, new, writer(f"m{i}", "Update", "v1"), CONFIG_MAP, False, f"2026-01-01T00:00:{i:02}Z"
        )
        obj = new
    managers = [e["manager"] for e in obj["metadata"]["managedFields"]]
    assert len(managers) == mf.MAX_UPDATERS
    assert mf.ANCIENT in managers
    assert set(sets.paths(mf._Managers.of(obj).union())) == {f".data.k{i}" for i in range(15)}


def test_apply_creates_and_owns_what_it_names() -> None:
    made = apply(None, config({"name": "c", "image": "i", "ports": [{"containerPort": 80}]}))
    assert fields(made, "m1") == {
        "f:spec": {
            "f:template": {
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"c"}': {
                            ".": {},
                            "f:name": {},
                            "f:image": {},
                            "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                        }
                    }
                }
            }
        }
    }


def test_apply_merges_list_items_of_different_managers() -> None:
    live = apply(None, config({"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}]}))
    live = apply(live, config({"name": "c", "env": [{"name": "B", "value": "2"}]}, {"name": "s", "image": "z"}), "m2")
    assert [c["name"] for c in containers(live)] == ["c", "s"]
    assert containers(live)[0] == {
        "name": "c",
        "image": "i",
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    }


def test_what_is_no_longer_applied_goes_unless_somebody_else_owns_it() -> None:
    live = apply(None, config({"name": "c", "image": "i", "args": ["a"]}, {"name": "d", "image": "j"}, replicas=2))
    live = apply(live, config({"name": "c", "args": ["a"]}), "m2")
    live = apply(live, config({"name": "c", "image": "i"}))
    assert containers(live) == [{"name": "c", "image": "i", "args": ["a"]}]
    assert "replicas" not in live["spec"]


def test_conflicts_name_managers_and_fields() -> None:
    live = apply(None, config({"name": "c", "image": "i"}, replicas=2))
    with pytest.raises(ApiError) as caught:
        apply(live, config({"name": "c", "image": "k"}, replicas=3), "m2")
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    assert caught.value.message == (
        'Apply failed with 2 conflicts: conflicts with "m1":\n- .spec.replicas\n'
        '- .spec.template.spec.containers[name="c"].image'
    )
    assert caught.value.details is not None
    assert [c["reason"] for c in caught.value.details["causes"]] == ["FieldManagerConflict"] * 2


def test_force_takes_fields_over_and_equal_values_are_shared() -> None:
    live = apply(None, config({"name": "c", "image": "i"}, replicas=2))
    live = apply(live, config({"name": "c", "image": "i"}, replicas=3), "m2", force=True)
    assert "f:replicas" not in fields(live, "m1")["f:spec"]
    assert fields(live, "m1")["f:spec"]["f:template"] == fields(live, "m2")["f:spec"]["f:template"]


def test_applying_to_an_object_without_owners_respects_what_is_there() -> None:
    live = {**config({"name": "c", "image": "i"}, replicas=2)}
    with pytest.raises(ApiError, match="before-first-apply"):
        apply(live, config({"name": "c", "image": "k"}))
    live = apply(live, config({"name": "c", "image": "i"}))
    assert {e["manager"] for e in live["metadata"]["managedFields"]} == {"m1", mf.BEFORE_APPLY}


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({**config(), "odd": 1}, ".odd: field not declared in schema"),
        (config({"name": "c"}, {"name": "c"}), r'containers: duplicate entries for key \[name="c"\]'),
        (config(replicas="x"), ".spec.replicas: expected numeric"),
        (
            config({"name": "c", "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]}),
            r'duplicate entries for key \[containerPort=80,protocol="TCP"\]',
        ),
    ],
)
def test_configurations_that_do_not_fit_are_refused(obj: Json, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        apply(None, obj)


PATHS = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(tuple), max_size=8).map(frozenset)


def tree(paths: frozenset[tuple[str, ...]]) -> Json | None:
    result: Json | None = None
    for path in paths:
        node: Json = {}
        for name in reversed(path):
            node = {"f:" + name: node}
        result = sets.union(result, node)
    return result


def shown(paths: frozenset[tuple[str, ...]]) -> list[str]:
    return sorted("".join("." + name for name in path) for path in paths)


@given(PATHS, PATHS)
def test_sets_behave_as_sets(left: frozenset[tuple[str, ...]], right: frozenset[tuple[str, ...]]) -> None:
    assert sorted(sets.paths(tree(left))) == shown(left)
    assert sorted(sets.paths(sets.union(tree(left), tree(right)))) == shown(left | right)
    assert sorted(sets.paths(sets.difference(tree(left), tree(right)))) == shown(left - right)
    assert sorted(sets.paths(sets.intersection(tree(left), tree(right)))) == shown(left & right)


def test_the_fast_path_of_a_creation_finds_what_a_comparison_with_nothing_finds() -> None:
    pod = orjson.loads(bench_pod("web"))
    pod["spec"] |= {"dnsPolicy": "", "nodeSelector": {}, "tolerations": [{"operator": "Exists"}], "hostNetwork": False}
    pod["metadata"] |= {"uid": "u", "finalizers": ["a/b"], "ownerReferences": [{"uid": "x", "kind": "K"}]}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x", "namespace": "n"},
        "spec": {"ports": [{"port": 80}, {"port": 80, "protocol": "UDP"}], "selector": {}},
        "status": {},
    }
    empty = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    for definition, obj in (
        ("io.k8s.api.core.v1.Pod", pod),
        ("io.k8s.api.core.v1.Service", service),
        (CONFIG_MAP, empty),
        (DEPLOYMENT, config({"name": "a", "image": "", "resources": {}}, replicas=0, selector={})),
    ):
        for has_status in (True, False):
            entries = mf.creation(obj, writer("m", "Update"), definition, has_status)
            assert [e["fieldsV1"] for e in entries] == [
                e["fieldsV1"] for e in mf.update(None, obj, writer("m", "Update"), definition, has_status)
            ]


def names(obj: Json) -> list[str]:
    return [item["name"] for item in containers(obj)]


@pytest.mark.parametrize(
    ("had", "wanted", "order"),
    [
        ("a", "ba", "ba"),  # a new item before the one that both have
        ("ab", "ba", "ba"),
        ("xa", "ba", "xba"),  # what others added keeps its place before
        ("axb", "ba", "xba"),
        ("abx", "abc", "abxc"),
        ("xy", "ab", "xyab"),
        ("axby", "cab", "caxby"),
        ("", "ab", "ab"),
    ],
)
def test_applied_items_come_in_the_applied_order(had: str, wanted: str, order: str) -> None:
    live = apply(None, config(*({"name": name} for name in had)), "other")
    assert "".join(names(apply(live, config(*({"name": name} for name in wanted)), force=True))) == order


KEYS = st.lists(st.sampled_from("abcdefg"), max_size=9)


@given(had=KEYS, wanted=KEYS.map(lambda keys: list(dict.fromkeys(keys))))
def test_the_order_of_a_merged_list(had: list[str], wanted: list[str]) -> None:
    order = [(had if own else wanted)[place] for own, place in woven(had, wanted)]
    assert [key for key in order if key in wanted] == wanted  # each once, whatever the live list had twice
    assert [key for key in order if key not in wanted] == [key for key in had if key not in wanted]
    again = [(order if own else wanted)[place] for own, place in woven(order, wanted)]
    assert again == order


def environment(*values: tuple[str, str]) -> Json:
    return config({"name": "c", "env": [{"name": name, "value": value} for name, value in values]})


def test_applying_one_of_two_items_with_the_same_key_repairs_the_list() -> None:
    twice = {**environment(("FOO", "a"), ("BAR", "x"), ("FOO", "b")), "metadata": {"name": "x"}}
    twice["metadata"]["managedFields"] = mf.update(None, twice, writer("c", "Update"), DEPLOYMENT, True, NOW)
    env = fields(twice, "c")["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"c"}']["f:env"]
    assert env['k:{"name":"FOO"}'] == {}  # owned as a whole, both together
    repaired = apply(twice, environment(("FOO", "a")), force=True)
    assert containers(repaired)[0]["env"] == [{"name": "FOO", "value": "a"}, {"name": "BAR", "value": "x"}]


def test_a_conflict_names_the_version_of_an_update_and_no_time() -> None:
    live = {**config({"name": "c", "image": "a"}), "metadata": {"name": "x"}}
    live["metadata"]["managedFields"] = mf.update(None, live, writer("c", "Update"), DEPLOYMENT, True, NOW)
    with pytest.raises(ApiError) as raised:
        apply(live, config({"name": "c", "image": "b"}))
    assert raised.value.message == (
        'Apply failed with 1 conflict: conflict with "c" using apps/v1: .spec.template.spec.containers[name="c"].image'
    )


def test_the_oldest_updaters_are_merged_version_by_version() -> None:
    obj: Json = {"metadata": {"name": "x"}, "data": {}}
    for at in range(13):
        new = {"metadata": {"name": "x"}, "data": {**obj["data"], f"k{at:02}": "v"}}
        who = writer(f"w{at:02}", "Update", "v1" if at else "v0")
        new["metadata"]["managedFields"] = mf.update(obj, new, who, CONFIG_MAP, False, f"2026-01-02T03:04:{at:02}Z")
        obj = new
    entries = obj["metadata"]["managedFields"]
    assert len(entries) == mf.MAX_UPDATERS
    assert [e["manager"] for e in entries[:3]] == ["w00", mf.ANCIENT, "w05"]  # nothing else is of the version v0
    assert set(entries[1]["fieldsV1"]["f:data"]) - {"."} == {"f:k01", "f:k02", "f:k03", "f:k04"}
