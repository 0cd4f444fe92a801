"""ValidatingAdmissionPolicies: which writes they see, what their expressions see, and what comes of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from cluster.cache import Cache
from cluster.plan import run
from cluster.store import Store
from cluster.verbs import Session, create
from cluster.verbs.call import Call
from kube import registry
from kube.errors import ApiError
from kube.objects import Json
from kube.users import User
from tests.cluster.sessions import NS, config, make

GROUP = "admissionregistration.k8s.io"
POLICIES, BINDINGS = f"validatingadmissionpolicies.{GROUP}", f"validatingadmissionpolicybindings.{GROUP}"
CONFIG_MAPS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
NEVER = {"expression": "false", "message": "never"}


@pytest.fixture
def session(cache: Cache, store: Store) -> Session:
    return make(cache, store, User("ann", groups=("system:masters",)))


def policy(
    session: Session, *validations: Json, rules: Any = (CONFIG_MAPS,), match: Json | None = None, **spec: Any
) -> None:
    """A policy `p` that is bound by `bind`."""
    session.create(
        POLICIES,
        "",
        {
            "metadata": {"name": "p"},
            "spec": {
                "matchConstraints": {"resourceRules": list(rules), **(match or {})},
                "validations": list(validations),
                **spec,
            },
        },
    )


def bind(session: Session, *actions: str, **spec: Any) -> None:
    session.create(
        BINDINGS,
        "",
        {
            "metadata": {"name": "b"},
            "spec": {"policyName": "p", "validationActions": list(actions) or ["Deny"], **spec},
        },
    )


def refusal(session: Session, obj: Json, storage: str = "configmaps", namespace: str = NS) -> str:
    """Why a creation is refused; "" when it is not."""
    try:
        session.create(storage, namespace, obj)
    except ApiError as error:
        return error.message.partition("denied request: ")[2] or error.message
    return ""


def test_what_is_refused_says_policy_binding_and_reason(session: Session) -> None:
    policy(
        session,
        {"expression": "object.data.a == 'ok'", "message": " a must be ok "},
        {
            "expression": "object.metadata.name != 'bad'",
            "messageExpression": "'not ' + object.metadata.name",
            "reason": "Forbidden",
        },
    )
    assert refusal(session, config("free", a="no")) == "", "a policy that nobody is bound by"
    bind(session)
    with pytest.raises(ApiError) as refused:
        session.create("configmaps", NS, config("x", a="no"))
    message = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: a must be ok"
    assert refused.value.status() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "reason": "Invalid",
        "code": 422,
        "message": f'configmaps "x" is forbidden: {message}',
        "details": {"name": "x", "kind": "configmaps", "causes": [{"message": message}]},
    }
    with pytest.raises(ApiError, match="not bad") as forbidden:
        session.create("configmaps", NS, config("bad", a="ok"))
    assert (forbidden.value.code, forbidden.value.reason) == (403, "Forbidden")
    assert refusal(session, config("x", a="ok")) == ""


def test_what_configures_admission_is_free_of_it(session: Session) -> None:
    policy(session, NEVER, rules=[{**CONFIG_MAPS, "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}])
    bind(session)
    assert refusal(session, {"metadata": {"name": "n"}}, "namespaces", "") == "never"
    session.delete(BINDINGS, "", "b")
    assert refusal(session, {"metadata": {"name": "n"}}, "namespaces", "") == ""


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ({}, True),
        ({"operations": ["UPDATE", "DELETE"]}, False),
        ({"apiGroups": ["apps"]}, False),
        ({"apiGroups": ["*"]}, True),
        ({"apiVersions": ["v2"]}, False),
        ({"resources": ["*"]}, True),
        ({"resources": ["*/*"]}, True),
        ({"resources": ["configmaps/status", "configmaps/*"]}, True),
        ({"resources": ["*/status"]}, False),
        ({"scope": "Cluster"}, False),
        ({"scope": "Namespaced"}, True),
        ({"resourceNames": ["y"]}, False),
        ({"resourceNames": ["y", "x"]}, True),
    ],
)
def test_rules(session: Session, changed: Json, seen: bool) -> None:
    policy(session, NEVER, rules=[{**CONFIG_MAPS, **changed}])
    bind(session)
    assert bool(refusal(session, config("x"))) is seen


@pytest.mark.parametrize(
    ("match", "seen"),
    [
        ({"excludeResourceRules": [CONFIG_MAPS]}, False),
        ({"excludeResourceRules": [{**CONFIG_MAPS, "resourceNames": ["y"]}]}, True),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NS}}}, True),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "else"}}}, False),
        ({"objectSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}, False),
    ],
)
@pytest.mark.parametrize("of_binding", [False, True])
def test_selectors_of_policy_and_of_binding(session: Session, match: Json, seen: bool, of_binding: bool) -> None:
    policy(session, NEVER, match=None if of_binding else match)
    bind(session, **({"matchResources": match} if of_binding else {}))
    assert bool(refusal(session, config("x"))) is seen


def test_a_label_that_is_taken_away_does_not_let_out(session: Session) -> None:
    labelled = {**config("x"), "metadata": {"name": "x", "labels": {"kept": "yes"}}}
    session.create("configmaps", NS, labelled)
    policy(session, NEVER, match={"objectSelector": {"matchLabels": {"kept": "yes"}}})
    bind(session)
    with pytest.raises(ApiError, match="never"):
        session.mutate("configmaps", NS, "x", lambda obj: obj["metadata"].update(labels={}))


def test_namespaces_are_chosen_by_their_own_labels(session: Session) -> None:
    policy(
        session,
        NEVER,
        rules=[{**CONFIG_MAPS, "resources": ["namespaces", "nodes"]}],
        match={"namespaceSelector": {"matchLabels": {"team": "a"}}},
    )
    bind(session)
    assert refusal(session, {"metadata": {"name": "n"}}, "namespaces", "") == ""
    assert refusal(session, {"metadata": {"name": "m", "labels": {"team": "a"}}}, "namespaces", "") == "never"
    assert refusal(session, {"metadata": {"name": "o"}}, "nodes", "") == "never", (
        "what is in no namespace is always meant"
    )


def test_updates_and_deletions_see_what_was(session: Session) -> None:
    session.create("configmaps", NS, config("x", a="1"))
    policy(
        session,
        {"expression": "object != null || oldObject.data.a == 'done'", "message": "not done"},
        {"expression": "oldObject == null || object == null || object.data.a >= oldObject.data.a", "message": "down"},
        {"expression": "request.operation in ['CREATE', 'UPDATE', 'DELETE'] && request.userInfo.username == 'ann'"},
    )
    bind(session)
    session.mutate("configmaps", NS, "x", lambda obj: obj["data"].update(a="2"))
    with pytest.raises(ApiError, match="down"):
        session.mutate("configmaps", NS, "x", lambda obj: obj["data"].update(a="1"))
    with pytest.raises(ApiError, match="not done"):
        session.delete("configmaps", NS, "x")
    session.mutate("configmaps", NS, "x", lambda obj: obj["data"].update(a="done"))
    session.delete("configmaps", NS, "x")


def test_variables_are_evaluated_when_they_are_asked_for(session: Session) -> None:
    policy(
        session,
        {"expression": "variables.twice <= 2"},
        {"expression": "!has(object.data.why) || variables.broken", "message": "unused"},
        variables=[
            {"name": "n", "expression": "object.data.size()"},
            {"name": "twice", "expression": "variables.n * 2"},
            {"name": "broken", "expression": "object.none.x"},
        ],
    )
    bind(session)
    assert refusal(session, config("one", a="1")).startswith('composited variable "broken" fails to evaluate: ')
    assert refusal(session, config("two", a="1", b="2")) == "failed expression: variables.twice <= 2"


@pytest.mark.parametrize(
    ("policy_failure", "told"),
    [("Fail", "expression 'object.data.none == 'x'' resulted in error: no such key: none"), ("Ignore", "")],
)
def test_an_expression_that_fails(session: Session, policy_failure: str, told: str) -> None:
    policy(session, {"expression": "object.data.none == 'x'"}, failurePolicy=policy_failure)
    bind(session)
    assert refusal(session, config("x", a="1")) == told


def test_messages_that_can_not_be_made(session: Session) -> None:
    policy(
        session,
        {"expression": "!('a' in object.data)", "messageExpression": "string(object.data.none)", "message": "plain"},
        {"expression": "!('b' in object.data)", "messageExpression": "'two\\nlines'"},
    )
    bind(session)
    assert refusal(session, config("x", a="1")) == "plain"
    assert refusal(session, config("x", b="1")) == "failed expression: !('b' in object.data)"


def test_conditions(session: Session) -> None:
    policy(
        session,
        NEVER,
        matchConditions=[
            {"name": "fails", "expression": "object.data.none == 'x'"},
            {"name": "named", "expression": "request.name != 'skip'"},
        ],
    )
    bind(session)
    assert refusal(session, config("skip", a="1")) == "", "one that does not hold settles it"
    assert "no such key: none" in refusal(session, config("x", a="1"))
    assert refusal(session, config("x", none="x")) == "never"


def written(session: Session, obj: Json) -> Call:
    """The call that made a ConfigMap, or was refused."""
    kind = registry.of_cluster(1).by_storage("configmaps")
    assert kind is not None
    call = Call(session, kind, NS, "")
    try:
        run(create.plan(call, obj), session.store)
    except ApiError as error:
        call.annotations["refused"] = error.message.partition("denied request: ")[2]
    return call


def test_warn_and_audit(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    policy(session, {"expression": "true"}, {"expression": "object.data == {'<': 'x'}"})
    bind(session, "Warn", "Audit")
    with caplog.at_level(logging.INFO):
        call = written(session, config("x", a="1"))
    told = "failed expression: object.data == {'<': 'x'}"
    assert call.annotations == {
        "validation.policy.admission.k8s.io/validation_failure": '[{"message":"'
        + told.replace("<", "\\u003c")
        + '","policy":"p","binding":"b","expressionIndex":1,"validationActions":["Warn","Audit"]}]'
    }
    assert call.warnings == ["Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': " + told]
    assert "CREATE configmaps work/x by ann: validation failed for ValidatingAdmissionPolicy 'p'" in caplog.text


@pytest.mark.parametrize(
    ("expression", "failure_policy", "told"),
    [
        ("' name: ' + object.metadata.name + ' '", "Fail", {"p/a": "name: x"}),
        ("null", "Fail", {}),
        ("' '", "Fail", {}),
        ("'.' + object.data.long", "Fail", {"p/a": "." + "é" * 5119}),
        ("'' + object.none", "Ignore", {}),
        (
            "'' + object.none",
            "Fail",
            {"refused": "expression ''' + object.none' resulted in error: no such key: none"},
        ),
    ],
)
def test_annotations_for_the_audit_log(session: Session, expression: str, failure_policy: str, told: Json) -> None:
    policy(session, auditAnnotations=[{"key": "a", "valueExpression": expression}], failurePolicy=failure_policy)
    bind(session, "Audit")
    assert written(session, config("x", long="é" * 6000)).annotations == told


def test_annotations_of_several_parameters_are_joined_also_where_the_write_is_refused(session: Session) -> None:
    for name, most in (("a", "2"), ("b", "5"), ("c", "5")):
        session.create("configmaps", NS, {**config(name, most=most), "metadata": {"name": name, "labels": {"l": "y"}}})
    policy(
        session,
        NEVER,
        paramKind=PARAMS,
        auditAnnotations=[{"key": "most", "valueExpression": "'at most ' + params.data.most"}],
    )
    bind(session, paramRef={"selector": {"matchLabels": {"l": "y"}}, "parameterNotFoundAction": "Deny"})
    assert written(session, config("x")).annotations == {"p/most": "at most 2, at most 5", "refused": "never"}


def test_what_the_server_has_told_the_audit_log_stays(session: Session) -> None:
    policy(session, auditAnnotations=[{"key": "decision", "valueExpression": "'allow'"}])
    bind(session)
    kind = registry.of_cluster(1).by_storage("configmaps")
    assert kind is not None
    call = Call(session, kind, NS, "", annotations={"p/decision": "forbid"})
    run(create.plan(call, config("x")), session.store)
    assert call.annotations == {"p/decision": "forbid"}


def test_a_binding_that_is_misconfigured_denies_whatever_its_actions(session: Session) -> None:
    policy(session, {"expression": "true"}, paramKind=PARAMS)
    bind(session, "Warn", paramRef={"name": "none", "parameterNotFoundAction": "Deny"})
    assert refusal(session, config("x")).startswith("failed to configure binding: no params found")


PARAMS = {"apiVersion": "v1", "kind": "ConfigMap"}
LIMIT = {"expression": "params == null || object.data.size() <= int(params.data.most)", "message": "too many"}
SECRETS = {**CONFIG_MAPS, "resources": ["secrets"]}


def secret(name: str, count: int) -> Json:
    return {"metadata": {"name": name}, "data": {f"k{i}": "YQ==" for i in range(count)}}


@pytest.mark.parametrize(
    "reference",
    [{"name": "limit"}, {"name": "limit", "namespace": NS}, {"selector": {"matchLabels": {"limits": "yes"}}}],
)
def test_parameters(session: Session, reference: Json) -> None:
    for name, most in (("limit", "2"), ("wide", "5")):
        made = config(name, most=most)
        made["metadata"]["labels"] = {"limits": "yes"}
        session.create("configmaps", NS, made)
    policy(session, LIMIT, rules=[SECRETS], paramKind=PARAMS)
    bind(session, paramRef={**reference, "parameterNotFoundAction": "Deny"})
    assert refusal(session, secret("a", 2), "secrets") == ""
    assert refusal(session, secret("b", 3), "secrets") == "too many", "of all that are selected, the strictest counts"


@pytest.mark.parametrize(
    ("reference", "spec", "told"),
    [
        (
            {"name": "none"},
            {},
            "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction",
        ),
        ({"name": "none", "parameterNotFoundAction": "Allow"}, {}, ""),
        ({"name": "none"}, {"failurePolicy": "Ignore"}, ""),
        (
            {"name": "none"},
            {"paramKind": {"apiVersion": "x.io/v1", "kind": "Gone"}},
            "failed to configure binding: failed to find resource referenced by paramKind: 'x.io/v1, Kind=Gone'",
        ),
        (
            {"name": "none", "namespace": "a"},
            {"paramKind": {"apiVersion": "v1", "kind": "Node"}},
            "failed to configure binding: paramRef.namespace must not be provided for a cluster-scoped `paramKind`",
        ),
    ],
)
def test_parameters_that_are_not_there(session: Session, reference: Json, spec: Json, told: str) -> None:
    policy(session, LIMIT, rules=[SECRETS], **{"paramKind": PARAMS, **spec})
    bind(session, paramRef={"parameterNotFoundAction": "Deny", **reference})
    assert refusal(session, secret("a", 9), "secrets") == told


def test_namespaced_parameters_of_what_is_in_no_namespace(session: Session) -> None:
    policy(session, LIMIT, rules=[{**CONFIG_MAPS, "resources": ["nodes"]}], paramKind=PARAMS)
    bind(session, paramRef={"name": "limit", "parameterNotFoundAction": "Allow"})
    assert "cannot use namespaced paramRef" in refusal(session, {"metadata": {"name": "n"}}, "nodes", "")


def test_what_the_user_may_do_beside(cache: Cache, store: Store) -> None:
    master = make(cache, store, User("root", groups=("system:masters",)))
    policy(
        master,
        {
            "expression": "authorizer.group('apps').resource('deployments').namespace('work').name('d').check('get')"
            ".allowed()",
            "message": "needs deployments",
        },
        {"expression": "!authorizer.serviceAccount('work', 'default').path('/metrics').check('get').allowed()"},
        {
            "expression": "authorizer.requestResource.check('approve').allowed() || request.name != 'secret'",
            "message": "not approved",
        },
    )
    bind(master)
    assert refusal(master, config("secret")) == ""
    bob = Session(1, User("bob"), cache, store)
    assert refusal(bob, config("x")) == "needs deployments"
    master.create(
        "roles.rbac.authorization.k8s.io",
        NS,
        {
            "metadata": {"name": "r"},
            "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["d"], "verbs": ["get"]}],
        },
    )
    master.create(
        "rolebindings.rbac.authorization.k8s.io",
        NS,
        {
            "metadata": {"name": "r"},
            "subjects": [{"kind": "User", "name": "bob", "apiGroup": "rbac.authorization.k8s.io"}],
            "roleRef": {"kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"},
        },
    )
    assert refusal(bob, config("x")) == ""
    assert refusal(bob, config("secret2")) == ""
    master.delete("configmaps", NS, "secret")
    assert refusal(bob, config("secret")) == "not approved"


@pytest.mark.parametrize(("policy_match", "seen"), [("Equivalent", True), ("Exact", False)])
def test_an_object_is_seen_in_the_version_that_the_rule_names(session: Session, policy_match: str, seen: bool) -> None:
    rule = {
        "apiGroups": ["autoscaling"],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["horizontalpodautoscalers"],
    }
    policy(
        session,
        {
            "expression": "object.apiVersion != 'autoscaling/v1' || object.spec.targetCPUUtilizationPercentage < 50",
            "message": "too late",
        },
        rules=[rule],
        match={"matchPolicy": policy_match},
    )
    bind(session)
    scaled = {
        "metadata": {"name": "h"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}},
    }  # 80 % by default
    assert bool(refusal(session, scaled, "horizontalpodautoscalers.autoscaling")) is seen


def test_variables_hold_times_and_quantities(session: Session) -> None:
    variables = [
        {"name": "t", "expression": "timestamp(object.data.t)"},
        {"name": "all", "expression": "[variables.t, timestamp('2026-01-01T00:00:00Z')]"},
        {"name": "q", "expression": "quantity(object.data.q)"},
        {"name": "d", "expression": "variables.t - timestamp('2026-01-01T00:00:00Z')"},
    ]
    text = "variables.all.isSorted() || variables.q.isGreaterThan(quantity('1')) || variables.d > duration('1h')"
    policy(session, {"expression": text, "message": "no"}, variables=variables)
    bind(session)
    assert refusal(session, config("a", t="2026-01-01T00:00:00Z", q="1")) == ""
    assert refusal(session, config("b", t="2026-01-01T00:30:00Z", q="2")) == ""
    assert refusal(session, config("c", t="2026-01-01T00:30:00Z", q="1")) == "no"
