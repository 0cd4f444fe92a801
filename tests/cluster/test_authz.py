"""Who may do what: RBAC with its memory, service accounts, and what a node may read."""

from __future__ import annotations

import threading

import pytest

from cluster import rbac
from cluster.authz import Authorizer
from cluster.cache import Cache, Entry
from cluster.rbac import Attributes
from cluster.store import Store
from cluster.verbs import Session
from kube.users import AUTHENTICATED, MASTERS, User, service_account
from tests.cluster.sessions import NS, make, pod

BOB = User("bob", groups=(AUTHENTICATED, "team"))


@pytest.fixture
def session(cache: Cache, store: Store) -> Session:
    return make(cache, store)


def grant(
    session: Session, subject: dict[str, str], rules: list[dict[str, object]], name: str = "r", cluster: bool = False
) -> None:
    kinds = ("clusterroles", "clusterrolebindings") if cluster else ("roles", "rolebindings")
    namespace = "" if cluster else NS
    session.create(f"{kinds[0]}.{rbac.GROUP}", namespace, {"metadata": {"name": name}, "rules": rules})
    role = {"apiGroup": rbac.GROUP, "kind": "ClusterRole" if cluster else "Role", "name": name}
    session.create(
        f"{kinds[1]}.{rbac.GROUP}", namespace, {"metadata": {"name": name}, "subjects": [subject], "roleRef": role}
    )


READ = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}


def test_nothing_is_allowed_until_a_binding_says_so(session: Session, cache: Cache) -> None:
    authorizer = Authorizer.of(cache)
    want = Attributes("get", "", "pods", "", NS, "web")
    assert not authorizer.decide(BOB, want).allowed
    grant(session, {"kind": "User", "name": "bob"}, [READ])
    assert authorizer.decide(BOB, want).allowed, "a new binding must undo the remembered refusal"
    assert not authorizer.decide(BOB, Attributes("get", "", "pods", "", "other", "web")).allowed
    assert not authorizer.decide(BOB, Attributes("get", "", "pods", "log", NS, "web")).allowed
    session.delete(f"rolebindings.{rbac.GROUP}", NS, "r")
    assert not authorizer.decide(BOB, want).allowed, "and its removal the remembered consent"


def test_groups_service_accounts_and_masters(session: Session, cache: Cache) -> None:
    authorizer = Authorizer.of(cache)
    grant(session, {"kind": "Group", "name": "team"}, [READ], "by-group", cluster=True)
    grant(session, {"kind": "ServiceAccount", "name": "default", "namespace": NS}, [READ], "by-account")
    assert authorizer.allows(BOB, "list", "", "pods", "anywhere")
    assert authorizer.allows(service_account(NS, "default"), "list", "", "pods", NS)
    assert not authorizer.allows(service_account(NS, "other"), "list", "", "pods", NS)
    assert authorizer.allows(User("root", groups=(MASTERS,)), "delete", "anything", "at-all")


@pytest.mark.parametrize(
    ("rule", "want", "allowed"),
    [
        ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, Attributes("x", "g", "r", "s"), True),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]}, Attributes("get", "", "pods", "log"), True),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]}, Attributes("get", "", "pods"), False),
        (
            {"verbs": ["get"], "apiGroups": ["apps"], "resources": ["*/scale"]},
            Attributes("get", "apps", "x", "scale"),
            True,
        ),
        (
            {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]},
            Attributes("get", "", "pods", name="a"),
            True,
        ),
        (
            {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]},
            Attributes("get", "", "pods", name="b"),
            False,
        ),
        ({"verbs": ["get"], "nonResourceURLs": ["/healthz/*"]}, Attributes("get", path="/healthz/etcd"), True),
        ({"verbs": ["get"], "nonResourceURLs": ["/healthz"]}, Attributes("get", path="/healthzz"), False),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, Attributes("get", path="/pods"), False),
    ],
)
def test_rules(rule: dict[str, object], want: Attributes, allowed: bool) -> None:
    assert rbac.rule_allows(rule, want) is allowed


def test_what_is_missing_for_a_grant_is_listed_compactly() -> None:
    owned = [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]
    wanted = [{"verbs": ["get", "list", "delete"], "apiGroups": [""], "resources": ["pods"]}]
    assert rbac.compact(rbac.uncovered(owned, wanted)) == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "list"]}'
    ]


def test_a_node_reads_what_its_pods_use(session: Session, cache: Cache) -> None:
    authorizer, node = Authorizer.of(cache), User("system:node:n1", groups=("system:nodes", AUTHENTICATED))
    want = Attributes("get", "", "secrets", "", NS, "s")
    refused = authorizer.decide(node, want)
    assert not refused.allowed and "no relationship found between node 'n1'" in refused.reason
    session.create("pods", NS, pod(nodeName="n1", volumes=[{"name": "v", "secret": {"secretName": "s"}}]))
    assert authorizer.decide(node, want).allowed
    assert not authorizer.decide(node, Attributes("list", "", "secrets", "", NS)).allowed
    assert not authorizer.allows(node, "get", "coordination.k8s.io", "leases", "kube-node-lease", "n2")
    assert authorizer.allows(node, "update", "coordination.k8s.io", "leases", "kube-node-lease", "n1")


def test_a_change_of_roles_while_they_are_read_stops_nobody(
    session: Session, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache tells changes while nobody may read it; who then waits for a reader that waits for the cache hangs."""
    reading, changing = threading.Event(), threading.Event()
    grant(session, {"kind": "User", "name": "ann"}, [READ], name="early")
    cache.subscribe(lambda events: changing.set())  # called before the authorizer, while the cache is locked
    authorizer = Authorizer(cache)
    original = cache.list

    def slow(storage: str, namespace: str | None = None) -> list[Entry]:
        if threading.current_thread() is reader:
            reading.set()
            assert changing.wait(30)
        return original(storage, namespace)

    monkeypatch.setattr(cache, "list", slow)
    want = Attributes("get", "", "pods", "", NS, "web")
    reader = threading.Thread(target=authorizer.decide, args=(BOB, want), daemon=True)
    reader.start()
    assert reading.wait(30)
    writer = threading.Thread(
        target=grant, args=(session, {"kind": "User", "name": "bob"}, [READ]), kwargs={"name": "late"}, daemon=True
    )
    writer.start()
    for thread in (reader, writer):
        thread.join(10)
    assert not reader.is_alive() and not writer.is_alive()
    assert authorizer.decide(BOB, want).allowed, "what was read before the change is not kept"
