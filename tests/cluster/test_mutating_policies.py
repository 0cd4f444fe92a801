"""MutatingAdmissionPolicies: what they change, in which order, and what comes of failures."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.cache import Cache
from cluster.store import Store
from cluster.verbs import Session
from kube.errors import ApiError
from kube.objects import Json
from kube.users import User
from tests.cluster.sessions import NS, config, make, pod

GROUP = "admissionregistration.k8s.io"
POLICIES, BINDINGS = f"mutatingadmissionpolicies.{GROUP}", f"mutatingadmissionpolicybindings.{GROUP}"
RULES = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps", "pods"]}]


@pytest.fixture
def session(cache: Cache, store: Store) -> Session:
    return make(cache, store, User("ann", groups=("system:masters",)))


def apply(expression: str) -> Json:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patch(expression: str) -> Json:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


def policy(session: Session, *mutations: Json, name: str = "p", bound: bool = True, **spec: Any) -> None:
    """A policy, and a binding of its name."""
    spec = {"reinvocationPolicy": "Never", "matchConstraints": {"resourceRules": RULES}, **spec}
    session.create(POLICIES, "", {"metadata": {"name": name}, "spec": {**spec, "mutations": list(mutations)}})
    if bound:
        session.create(BINDINGS, "", {"metadata": {"name": name}, "spec": {"policyName": name}})


def test_a_configuration_is_applied(session: Session) -> None:
    policy(session, apply("Object{metadata: Object.metadata{labels: {'by': request.userInfo.username}}}"))
    assert session.create("pods", NS, pod())["metadata"]["labels"] == {"app": "web", "by": "ann"}


def test_items_of_lists_are_merged_by_their_keys(session: Session) -> None:
    item = "Object.spec.initContainers{name: 'i', image: object.spec.containers[0].image}"
    text = f"Object{{spec: Object.spec{{initContainers: [{item}]}}}}"
    policy(session, apply(text))
    policy(
        session,
        apply("Object{spec: Object.spec{containers: [Object.spec.containers{name: 'c', tty: true}]}}"),
        name="q",
    )
    spec = session.create("pods", NS, pod())["spec"]
    assert [(c["name"], c["image"], c.get("tty")) for c in spec["containers"]] == [("c", "host", True)]
    (init,) = spec["initContainers"]
    assert (init["image"], init["terminationMessagePolicy"]) == ("host", "File"), "with the defaults of its kind"


def test_a_patch_is_made_from_variables(session: Session) -> None:
    text = "[JSONPatch{op: 'add', path: '/data/' + variables.key, value: 'x'}]"
    policy(session, patch(text), variables=[{"name": "key", "expression": "jsonpatch.escapeKey('b')"}])
    assert session.create("configmaps", NS, config(a="1"))["data"] == {"a": "1", "b": "x"}


def test_mutations_see_what_those_before_them_did(session: Session) -> None:
    one = "[JSONPatch{op: 'add', path: '/data/n', value: string(int(object.data.n) + 1)}]"
    policy(session, patch(one), patch(one))
    assert session.create("configmaps", NS, config(n="1"))["data"] == {"n": "3"}


def test_a_policy_is_asked_again_if_it_wants_to_be(session: Session) -> None:
    count = "[JSONPatch{op: 'add', path: '/data/%s', value: string(int(object.data.%s) + 1)}]"
    policy(session, patch(count % ("a", "a")), name="a", reinvocationPolicy="IfNeeded")
    policy(session, patch(count % ("b", "b")), name="b")
    assert session.create("configmaps", NS, config(a="0", b="0"))["data"] == {"a": "2", "b": "1"}


def test_conditions_and_bindings_choose(session: Session) -> None:
    change = patch("[JSONPatch{op: 'add', path: '/data/x', value: 'y'}]")
    policy(session, change, matchConditions=[{"name": "some", "expression": "object.metadata.name == 'some'"}])
    policy(session, change, name="unbound", bound=False)
    assert session.create("configmaps", NS, config("other", a="1"))["data"] == {"a": "1"}
    assert session.create("configmaps", NS, config("some", a="1"))["data"] == {"a": "1", "x": "y"}


def test_failures_refuse_unless_they_are_ignored(session: Session) -> None:
    broken = patch("[JSONPatch{op: 'add', path: '/data/x', value: object.data.none}]")
    policy(session, broken, failurePolicy="Ignore")
    assert session.create("configmaps", NS, config(a="1"))["data"] == {"a": "1"}
    policy(session, broken, name="strict")
    with pytest.raises(ApiError, match=r"policy 'strict' with binding 'strict' denied request.*no such key: none"):
        session.create("configmaps", NS, config("other", a="1"))


@pytest.mark.parametrize("text", ["Object{metadata: Object.metadata{name: 'other'}}", "Object{none: 1}"])
def test_what_may_not_be_applied(session: Session, text: str) -> None:
    policy(session, apply(text))
    with pytest.raises(ApiError, match="denied request"):
        session.create("configmaps", NS, config(a="1"))
