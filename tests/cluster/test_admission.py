"""The admission chain: its order, and what its plugins add and refuse."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.admission.chain import ORDER, default_chain
from cluster.admission.pod_security_checks import violations
from cluster.cache import Cache
from cluster.store import Store
from cluster.verbs import Session
from kube.errors import ApiError, Forbidden
from kube.users import AUTHENTICATED, User
from tests.cluster.sessions import NS, config, make, pod


@pytest.fixture
def session(cache: Cache, store: Store) -> Session:
    return make(cache, store)


def quota(session: Session, hard: dict[str, str]) -> None:
    session.create("resourcequotas", NS, {"metadata": {"name": "q"}, "spec": {"hard": hard}})
    used = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    session.mutate("resourcequotas", NS, "q", lambda q: q.update(status=used), subresource="status")


def used(session: Session, name: str) -> str:
    found = session.get("resourcequotas", NS, "q")
    assert found
    return str(found["status"]["used"][name])


def test_every_plugin_has_its_reason_and_quota_comes_last() -> None:
    assert all(reason for _, _, reason in ORDER)
    assert ORDER[-1][0].__name__ == "ResourceQuota" and ORDER[0][0].__name__ == "NamespaceLifecycle"
    with pytest.raises(ValueError, match="no admission plugin is called 'Nothing'"):
        default_chain(("Nothing",))


def test_a_pod_gets_account_token_tolerations_and_priority(session: Session) -> None:
    spec = session.create("pods", NS, pod())["spec"]
    assert spec["serviceAccountName"] == "default" and spec["priority"] == 0
    assert spec["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]["path"] == "token"
    assert spec["containers"][0]["volumeMounts"][0]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert {t["key"] for t in spec["tolerations"]} == {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}


def test_the_permanent_namespaces_stay(session: Session) -> None:
    session.create("namespaces", "", {"metadata": {"name": "kube-system"}})
    with pytest.raises(Forbidden, match="may not be deleted"):
        session.delete("namespaces", "", "kube-system")


def test_limits_are_filled_in_and_bound(session: Session) -> None:
    session.create(
        "limitranges",
        NS,
        {
            "metadata": {"name": "l"},
            "spec": {
                "limits": [
                    {
                        "type": "Container",
                        "default": {"memory": "1Gi"},
                        "defaultRequest": {"memory": "64Mi"},
                        "max": {"memory": "2Gi"},
                    }
                ]
            },
        },
    )
    resources = session.create("pods", NS, pod())["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"memory": "1Gi"}, "requests": {"memory": "64Mi"}}
    big = pod("big", containers=[{"name": "c", "image": "host", "resources": {"limits": {"memory": "3Gi"}}}])
    with pytest.raises(Forbidden, match="maximum memory usage per Container is 2Gi, but limit is 3Gi"):
        session.create("pods", NS, big)


def test_a_quota_is_charged_with_the_write_and_not_without(session: Session) -> None:
    quota(session, {"configmaps": "1"})
    with pytest.raises(ApiError):
        session.create("configmaps", NS, config("Bad_"))
    assert used(session, "configmaps") == "0"
    session.create("configmaps", NS, config("a"))
    assert used(session, "configmaps") == "1"
    with pytest.raises(Forbidden, match="exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited"):
        session.create("configmaps", NS, config("b"))


def test_a_batch_can_not_overrun_a_quota(session: Session) -> None:
    quota(session, {"configmaps": "2"})
    results = session.create_many([("configmaps", NS, config(f"c{i}")) for i in range(4)])
    assert [isinstance(r, ApiError) for r in results] == [False, False, True, True]
    assert used(session, "configmaps") == "2"


def test_compute_quotas_sum_requests_and_want_them_named(session: Session) -> None:
    quota(session, {"requests.cpu": "1"})
    with pytest.raises(Forbidden, match=r"must specify requests\.cpu"):
        session.create("pods", NS, pod())
    sized: list[dict[str, Any]] = [{"name": "c", "image": "host", "resources": {"requests": {"cpu": "600m"}}}]
    session.create("pods", NS, pod("a", containers=sized))
    assert used(session, "requests.cpu") == "600m"
    with pytest.raises(Forbidden, match=r"requested: requests\.cpu=600m, used: requests\.cpu=600m"):
        session.create("pods", NS, pod("b", containers=sized))


def test_pod_security_refuses_and_names_the_reason(session: Session) -> None:
    session.mutate(
        "namespaces",
        "",
        NS,
        lambda ns: ns["metadata"].setdefault("labels", {}).update({"pod-security.kubernetes.io/enforce": "baseline"}),
    )
    with pytest.raises(
        Forbidden, match=r'violates PodSecurity "baseline:latest": host namespaces \(hostNetwork=true\)'
    ):
        session.create("pods", NS, pod(hostNetwork=True))


def test_pod_security_levels_build_on_each_other() -> None:
    plain = pod()
    assert violations("baseline", plain) == "" and violations("privileged", plain) == ""
    assert "runAsNonRoot != true" in violations("restricted", plain)


def test_nobody_grants_what_they_do_not_hold(session: Session, cache: Cache, store: Store) -> None:
    rule = {
        "verbs": ["get", "create"],
        "apiGroups": ["", "rbac.authorization.k8s.io"],
        "resources": ["configmaps", "roles"],
    }
    session.create("roles.rbac.authorization.k8s.io", NS, {"metadata": {"name": "r"}, "rules": [rule]})
    session.create(
        "rolebindings.rbac.authorization.k8s.io",
        NS,
        {
            "metadata": {"name": "b"},
            "subjects": [{"kind": "User", "name": "bob"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        },
    )
    bob = Session(1, User("bob", groups=(AUTHENTICATED,)), cache, store)
    mine = {"metadata": {"name": "mine"}, "rules": [{**rule, "verbs": ["get"]}]}
    assert bob.create("roles.rbac.authorization.k8s.io", NS, mine)["metadata"]["name"] == "mine"
    with pytest.raises(Forbidden, match="attempting to grant RBAC permissions not currently held"):
        bob.create(
            "roles.rbac.authorization.k8s.io", NS, {"metadata": {"name": "more"}, "rules": [{**rule, "verbs": ["*"]}]}
        )


def test_node_restriction_confines_a_kubelet(cache: Cache, store: Store) -> None:
    make(cache, store)
    node = User("system:node:n1", groups=("system:nodes", AUTHENTICATED))
    session = Session(1, node, cache, store, chain=default_chain(("NodeRestriction",)))
    session.create("nodes", "", {"metadata": {"name": "n1"}})
    with pytest.raises(Forbidden, match="is not allowed to modify node"):
        session.create("nodes", "", {"metadata": {"name": "n2"}})
    with pytest.raises(Forbidden, match=r"can only create pods with spec\.nodeName set to itself"):
        session.create("pods", NS, pod())
    with pytest.raises(Forbidden, match="is not allowed to modify labels"):
        session.mutate(
            "nodes",
            "",
            "n1",
            lambda n: n["metadata"].setdefault("labels", {}).update({"node-restriction.kubernetes.io/a": "b"}),
        )


def test_a_pod_carries_the_zone_of_its_node_whether_created_there_or_bound(session: Session) -> None:
    zone = {"topology.kubernetes.io/zone": "harbour"}
    session.create("nodes", "", {"metadata": {"name": "n", "labels": {**zone, "disk": "ssd"}}})
    assert session.create("pods", NS, pod("placed", nodeName="n"))["metadata"]["labels"] == {"app": "placed", **zone}
    session.create("pods", NS, pod("free"))
    [bound] = session.bind_many([(NS, "free", "n")])
    assert not isinstance(bound, ApiError) and bound["metadata"]["labels"] == {"app": "free", **zone}
