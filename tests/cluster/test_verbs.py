"""The verbs over a real store: what a write leaves behind, and what it refuses."""

from __future__ import annotations

import threading
from typing import Any

import orjson
import pytest

from cluster.cache import Cache
from cluster.store import Store
from cluster.verbs import Session
from cluster.verbs.session import copied
from kube.errors import AlreadyExists, ApiError, BadRequest, Conflict, Forbidden, Invalid, NotFound, TooManyRequests
from tests.cluster.sessions import NS, config, make, pod


@pytest.fixture
def session(cache: Cache, store: Store) -> Session:
    return make(cache, store)


def test_create_fills_metadata_and_defaults(session: Session) -> None:
    made = session.create("pods", NS, pod())
    assert made["metadata"]["uid"] and made["metadata"]["creationTimestamp"] and made["metadata"]["resourceVersion"]
    assert made["spec"]["restartPolicy"] == "Always" and made["status"]["phase"] == "Pending"
    assert session.get("pods", NS, "web") == made


def test_create_twice_and_in_no_namespace(session: Session) -> None:
    session.create("configmaps", NS, config())
    with pytest.raises(AlreadyExists, match='configmaps "conf" already exists'):
        session.create("configmaps", NS, config())
    with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
        session.create("configmaps", "nowhere", config())


def test_an_owner_that_is_told_twice_is_kept_once(session: Session) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u", "controller": True}
    made = config()
    made["metadata"]["ownerReferences"] = [owner, dict(owner)]
    assert session.create("configmaps", NS, made)["metadata"]["ownerReferences"] == [owner]


def test_generated_names_differ_and_keep_the_prefix(session: Session) -> None:
    names = {
        session.create("configmaps", NS, {"metadata": {"generateName": "x-"}})["metadata"]["name"] for _ in range(5)
    }
    assert len(names) == 5 and all(name.startswith("x-") and len(name) == 7 for name in names)


def test_many_of_one_template_are_each_what_one_alone_would_be(session: Session) -> None:
    template = pod()
    del template["metadata"]["name"]
    template["metadata"]["generateName"] = "web-"
    made = session.create_many([("pods", NS, template)] * 20)
    alone = session.create("pods", NS, template)
    metas = [p["metadata"] for p in made if not isinstance(p, ApiError)]
    assert len({m["name"] for m in metas}) == len({m["uid"] for m in metas}) == 20
    assert [int(m["resourceVersion"]) for m in metas] == list(
        range(int(metas[0]["resourceVersion"]), 20 + int(metas[0]["resourceVersion"]))
    )

    def common(found: dict[str, Any]) -> dict[str, Any]:
        found = copied(found)
        for name in ("name", "uid", "resourceVersion", "creationTimestamp"):
            del found["metadata"][name]
        volume = found["spec"]["volumes"][0]["name"]
        return orjson.loads(orjson.dumps(found).replace(volume.encode(), b"V"))

    assert session.get("pods", NS, metas[7]["name"]) == made[7]
    assert [common(p) for p in made if not isinstance(p, ApiError)] == [common(alone)] * 20
    assert "name" not in template["metadata"] and "status" not in template


def test_create_refuses_a_revision_and_a_foreign_namespace(session: Session) -> None:
    with pytest.raises(BadRequest, match="resourceVersion should not be set"):
        session.create("configmaps", NS, {"metadata": {"name": "a", "resourceVersion": "5"}})
    with pytest.raises(BadRequest, match="does not match the namespace"):
        session.create("configmaps", NS, {"metadata": {"name": "a", "namespace": "other"}})


def test_dry_run_writes_nothing(session: Session, store: Store) -> None:
    before = store.revision()
    assert session.create("configmaps", NS, config(), dry_run=True)["metadata"]["uid"]
    assert store.revision() == before and session.get("configmaps", NS, "conf") is None


def test_update_with_a_stale_revision_conflicts(session: Session) -> None:
    first = session.create("configmaps", NS, config(a="1"))
    session.update("configmaps", NS, "conf", {**first, "data": {"a": "2"}})
    with pytest.raises(Conflict, match="the object has been modified"):
        session.update("configmaps", NS, "conf", {**first, "data": {"a": "3"}})
    current = session.get("configmaps", NS, "conf")
    assert current and current["data"] == {"a": "2"}


def test_a_write_that_changes_nothing_is_not_written(session: Session, store: Store) -> None:
    made = session.create("configmaps", NS, config(a="1"))
    before = store.revision()
    assert session.mutate("configmaps", NS, "conf", lambda obj: obj) == made
    assert store.revision() == before


def test_an_update_can_not_change_identity(session: Session) -> None:
    made = session.create("configmaps", NS, config())
    changed = session.mutate(
        "configmaps",
        NS,
        "conf",
        lambda obj: obj["metadata"].update(creationTimestamp="2001-01-01T00:00:00Z", labels={"a": "b"}),
    )
    assert changed["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]
    with pytest.raises(Conflict, match="Precondition failed: UID"):
        session.update("configmaps", NS, "conf", {"metadata": {"name": "conf", "uid": "another"}})


def test_mutate_loses_no_concurrent_change(session: Session) -> None:
    session.create("configmaps", NS, config(n="0"))

    def count() -> None:
        for _ in range(10):
            session.mutate("configmaps", NS, "conf", lambda obj: obj["data"].update(n=str(int(obj["data"]["n"]) + 1)))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = session.get("configmaps", NS, "conf")
    assert found and found["data"]["n"] == "40"


def test_status_writes_keep_the_spec_and_the_other_way_round(session: Session) -> None:
    session.create("pods", NS, pod())
    session.mutate(
        "pods",
        NS,
        "web",
        lambda p: (p["status"].update(phase="Running"), p["spec"].update(activeDeadlineSeconds=5))[0],
        subresource="status",
    )
    found = session.mutate("pods", NS, "web", lambda p: p["status"].update(phase="Failed"))
    assert found["status"]["phase"] == "Running" and "activeDeadlineSeconds" not in found["spec"]


def test_patch_merges_and_validates(session: Session) -> None:
    session.create("pods", NS, pod())
    patched = session.patch("pods", NS, "web", {"metadata": {"labels": {"x": "y"}}}, "application/merge-patch+json")
    assert patched["metadata"]["labels"] == {"app": "web", "x": "y"}
    with pytest.raises(Invalid, match=r"spec: Forbidden|spec\.containers"):
        session.patch("pods", NS, "web", {"spec": {"hostNetwork": True}}, "application/merge-patch+json")


def test_delete_honours_preconditions(session: Session) -> None:
    session.create("configmaps", NS, config())
    with pytest.raises(Conflict, match="UID in the precondition"):
        session.delete("configmaps", NS, "conf", {"preconditions": {"uid": "another"}})
    session.delete("configmaps", NS, "conf")
    with pytest.raises(NotFound):
        session.delete("configmaps", NS, "conf")


def test_a_finalizer_holds_an_object_until_it_is_taken_away(session: Session) -> None:
    session.create("configmaps", NS, {"metadata": {"name": "held", "finalizers": ["example.com/wait"]}})
    marked = session.delete("configmaps", NS, "held")
    assert marked["metadata"]["deletionTimestamp"]
    assert session.delete("configmaps", NS, "held") == marked, "a second deletion changes nothing"
    session.mutate("configmaps", NS, "held", lambda obj: obj["metadata"].pop("finalizers") and None)
    assert session.get("configmaps", NS, "held") is None


@pytest.mark.parametrize(("policy", "finalizer"), [("Orphan", "orphan"), ("Foreground", "foregroundDeletion")])
def test_propagation_policies_leave_a_finalizer(session: Session, policy: str, finalizer: str) -> None:
    session.create("configmaps", NS, config())
    marked = session.delete("configmaps", NS, "conf", {"propagationPolicy": policy})
    assert marked["metadata"]["finalizers"] == [finalizer]


def test_a_running_pod_gets_grace_and_an_unscheduled_one_none(session: Session) -> None:
    session.create("pods", NS, pod("waiting"))
    session.delete("pods", NS, "waiting")
    assert session.get("pods", NS, "waiting") is None
    session.create("pods", NS, pod("running", nodeName="n1", terminationGracePeriodSeconds=20))
    assert session.delete("pods", NS, "running")["metadata"]["deletionGracePeriodSeconds"] == 20
    assert (
        session.delete("pods", NS, "running", {"gracePeriodSeconds": 5})["metadata"]["deletionGracePeriodSeconds"] == 5
    )
    session.delete("pods", NS, "running", {"gracePeriodSeconds": 0})
    assert session.get("pods", NS, "running") is None


def test_a_namespace_terminates_before_it_goes(session: Session) -> None:
    session.delete("namespaces", "", NS)
    found = session.get("namespaces", "", NS)
    assert found and found["status"]["phase"] == "Terminating"
    with pytest.raises(Forbidden, match="being terminated"):
        session.create("configmaps", NS, config())
    session.mutate("namespaces", "", NS, lambda ns: ns["spec"].pop("finalizers") and None, subresource="finalize")
    assert session.get("namespaces", "", NS) is None


def test_create_many_is_one_commit_with_an_answer_for_each(session: Session, store: Store) -> None:
    groups = store.groups
    results = session.create_many(
        [("configmaps", NS, config("a")), ("configmaps", NS, config("Bad_")), ("configmaps", NS, config("b"))]
    )
    assert store.groups == groups + 1
    assert isinstance(results[1], Invalid)
    assert [r["metadata"]["name"] for r in results if not isinstance(r, ApiError)] == ["a", "b"]


def test_bind_many_binds_each_pod_once(session: Session) -> None:
    session.create_many([("pods", NS, pod("a")), ("pods", NS, pod("b"))])
    results = session.bind_many([(NS, "a", "n1"), (NS, "b", "n2"), (NS, "a", "n3"), (NS, "none", "n1")])
    assert [r["spec"]["nodeName"] for r in results[:2] if not isinstance(r, ApiError)] == ["n1", "n2"]
    assert isinstance(results[2], Conflict) and "already assigned" in results[2].message
    assert isinstance(results[3], NotFound)
    found = session.get("pods", NS, "a")
    assert found and found["status"]["conditions"][0]["type"] == "PodScheduled"


def test_delete_collection_deletes_what_matches(session: Session) -> None:
    session.create_many([("pods", NS, pod("a")), ("pods", NS, pod("b"))])
    gone = session.delete_collection("pods", NS, labels="app=a")
    assert [o["metadata"]["name"] for o in gone] == ["a"]
    assert session.get("pods", NS, "a") is None and session.get("pods", NS, "b")


def test_eviction_uses_up_a_budget(session: Session) -> None:
    session.create("pods", NS, pod("web", nodeName="n1"))
    session.mutate(
        "pods",
        NS,
        "web",
        lambda p: p["status"].update(phase="Running", conditions=[{"type": "Ready", "status": "True"}]),
        subresource="status",
    )
    session.create(
        "poddisruptionbudgets.policy",
        NS,
        {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}},
    )
    with pytest.raises(TooManyRequests, match="violate the pod's disruption budget"):
        session.evict(NS, "web")
    session.mutate(
        "poddisruptionbudgets.policy",
        NS,
        "b",
        lambda b: b["status"].update(observedGeneration=1, disruptionsAllowed=1),
        subresource="status",
    )
    session.evict(NS, "web")
    budget, evicted = session.get("poddisruptionbudgets.policy", NS, "b"), session.get("pods", NS, "web")
    assert budget and budget["status"]["disruptionsAllowed"] == 0 and "web" in budget["status"]["disruptedPods"]
    assert evicted and evicted["metadata"]["deletionTimestamp"]
