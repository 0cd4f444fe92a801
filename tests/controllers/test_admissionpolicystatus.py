"""What the status of a ValidatingAdmissionPolicy warns of."""

from __future__ import annotations

import pytest

from cluster.admission.policies import typechecking
from controllers.admissionpolicystatus import STORAGE, AdmissionPolicyStatusController
from kube import crd, registry
from tests.controllers.drive import Drive

DEPLOYMENTS = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["*"]}
PODS = {**DEPLOYMENTS, "apiGroups": [""], "resources": ["pods"]}
WIDGETS = {**DEPLOYMENTS, "apiGroups": ["example.com"], "resources": ["widgets"]}


@pytest.fixture
def drive(cache, monkeypatch):
    return Drive(cache, monkeypatch, AdmissionPolicyStatusController())


@pytest.fixture
def widgets():
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer"},
                    "port": {"x-kubernetes-int-or-string": True},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        },
    }
    [kind] = crd.kinds(
        {
            "spec": {
                "group": "example.com",
                "names": {"kind": "Widget", "plural": "widgets"},
                "scope": "Namespaced",
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
            }
        }
    )
    registry.of_cluster(1).register(kind)
    yield
    registry.of_cluster(1).unregister(kind)
    crd.forget(kind)


def spec(*expressions, rules=(DEPLOYMENTS,), **more):
    validations = [{"expression": text} for text in expressions]
    return {"matchConstraints": {"resourceRules": list(rules)}, "validations": validations, **more}


def warned(*expressions, **more):
    return [
        (found["fieldRef"], found["warning"])
        for found in typechecking.warnings(spec(*expressions, **more), registry.of_cluster(1))
    ]


def first(*expressions, **more):
    """The first line of each warning."""
    return [text.split("\n")[0].partition("ERROR: ")[2] for _, text in warned(*expressions, **more)]


def test_a_policy_is_looked_at_once_a_generation(drive):
    drive.create(STORAGE, "p", {"spec": spec("object.replicas > 1")}, "")
    drive.run()
    status = drive.get(STORAGE, "p", "")["status"]
    text = (
        "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^\n"
    )
    warning = {"fieldRef": "spec.validations[0].expression", "warning": text}
    assert status == {"observedGeneration": 1, "typeChecking": {"expressionWarnings": [warning]}}

    def repair(policy):
        policy["spec"]["validations"][0]["expression"] = "object.spec.replicas > 1"

    drive.session.mutate(STORAGE, "", "p", repair)
    drive.run()
    policy = drive.get(STORAGE, "p", "")
    assert policy["status"] == {"observedGeneration": 2, "typeChecking": {}}
    drive.run()
    assert drive.get(STORAGE, "p", "") == policy


def test_each_kind_that_does_not_fit_is_told_and_of_every_expression():
    found = typechecking.warnings(
        {
            **spec(rules=[DEPLOYMENTS, PODS]),
            "validations": [
                {"expression": "object.metadata.name != ''"},
                {"expression": "object.metadata.name == 1", "messageExpression": "object.spec.nodeName"},
            ],
        },
        registry.of_cluster(1),
    )
    assert [(w["fieldRef"], w["warning"].count("Kind=")) for w in found] == [
        ("spec.validations[1].expression", 2),
        ("spec.validations[1].messageExpression", 1),
    ]
    assert found[0]["warning"].startswith("/v1, Kind=Pod: ERROR: ") and "\n\napps/v1, Kind=Dep" in found[0]["warning"]
    assert found[1]["warning"].startswith("apps/v1, Kind=Deployment: ")


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("object.metadata.creationTimestamp < timestamp('2020-01-01T00:00:00Z')", []),
        ("object.metadata.labels['a'] == 'b' && oldObject == null && object.kind == 'Deployment'", []),
        ("object.spec.template.spec.containers.all(c, c.ports.all(p, p.containerPort > 80))", []),
        ("object.spec.strategy.rollingUpdate.maxSurge in [dyn('1'), dyn(1)]", []),
        ("authorizer.requestResource.check('x').allowed() && request.name != namespaceObject.metadata.name", []),
        ("request.name == 1", ["<input>:1:14: found no matching overload for '_==_' applied to '(string, int)'"]),
        ("params == null", ["<input>:1:1: undeclared reference to 'params' (in container '')"]),
    ],
)
def test_types_of_built_in_kinds(expression, told):
    assert first(expression) == told


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("object.spec.size > 1 && object.spec.port == 'x' && object.metadata.labels.a == ''", []),
        ("object.spec.size == 'x'", ["<input>:1:18: found no matching overload for '_==_' applied to '(int, string)'"]),
        ("has(object.spec.free.what)", ["<input>:1:4: undefined field 'what'"]),
    ],
)
def test_types_of_custom_kinds(widgets, expression, told):
    assert first(expression, rules=[WIDGETS]) == told


def test_parameters_have_the_type_of_their_kind():
    config = {"apiVersion": "v1", "kind": "ConfigMap"}
    assert first("params.data.a == '' && params.dat == ''", paramKind=config) == ["<input>:1:30: undefined field 'dat'"]
    assert first("params.anything == 1", paramKind={"apiVersion": "example.com/v1", "kind": "Gone"}) == []


def test_variables_have_the_types_of_their_expressions():
    variables = [
        {"name": "spec", "expression": "object.spec"},
        {"name": "containers", "expression": "variables.spec.template.spec.containers"},
        {"name": "wrong", "expression": "object.none"},
    ]
    assert first(
        "variables.spec.replicas > 1",
        "variables.spec.none > 1",
        "variables.containers[0].image == 1",
        "variables.wrong.any == 1",
        variables=variables,
    ) == [
        "<input>:1:15: undefined field 'none'",
        "<input>:1:31: found no matching overload for '_==_' applied to '(string, int)'",
    ]


def test_a_long_chain_of_variables_is_not_followed_to_its_end():
    chain = [{"name": "v0", "expression": "object.spec"}]
    chain += [{"name": f"v{i}", "expression": f"variables.v{i - 1}"} for i in range(1, 30)]
    assert first("variables.v5.none == 1", "variables.v29.none == 1", variables=chain) == [
        "<input>:1:13: undefined field 'none'"
    ]


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ({"resources": ["deployments", "deployments/scale", "*/status", "nothing"]}, ["Deployment"]),
        ({"resources": ["*"]}, []),
        ({"apiVersions": ["*", "v1"]}, []),
        ({"apiGroups": ["*"]}, []),
        ({"apiGroups": ["apps", ""], "resources": ["statefulsets", "pods", "nodes"]}, ["Node", "Pod", "StatefulSet"]),
    ],
)
def test_kinds_are_those_that_are_named(rule, named):
    found = typechecking.kinds(spec(rules=[{**DEPLOYMENTS, **rule}]), registry.of_cluster(1))
    assert [kind.kind for kind in found] == named


def test_ten_kinds_at_most():
    plurals = [kind.plural for kind in registry.of_cluster(1).all() if kind.api_version == "v1"]
    rules = [{**PODS, "resources": [plural]} for plural in [*plurals, *plurals]]
    assert len(set(plurals)) > 10
    assert len(typechecking.kinds(spec(rules=rules), registry.of_cluster(1))) == 10
