"""Kinds of flow control, discovery, admission and networking: what single fields are refused for."""

from __future__ import annotations

from typing import Any

import pytest

from kube.objects import Json
from tests.kube.kinds.groups.pipeline import create, refused, update

FLOW, ADMISSION, NETWORK = "flowcontrol.apiserver.k8s.io/v1", "admissionregistration.k8s.io/v1", "networking.k8s.io/v1"
SUBJECT = {"kind": "User", "user": {"name": "u"}}
RESOURCES = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["*"]}
LIMITED = {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
HOOK = {
    "name": "a.example.com",
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "clientConfig": {"service": {"namespace": "n", "name": "s"}},
}
POLICY = {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": "true"}]}


def schema(subject: Json = SUBJECT, **rule: Any) -> Json:
    rules = [{"subjects": [subject], **rule}]
    return create(FLOW, "FlowSchema", spec={"priorityLevelConfiguration": {"name": "p"}, "rules": rules})


@pytest.mark.parametrize(
    ("rule", "causes"),
    [
        ({"subject": {**SUBJECT, "group": {}}}, {("subjects[0].group", "Forbidden")}),
        (
            {"subject": {"kind": "ServiceAccount", "serviceAccount": {"name": "A B"}}},
            {("subjects[0].serviceAccount.name", "Invalid"), ("subjects[0].serviceAccount.namespace", "Required")},
        ),
        ({"resourceRules": [{**RESOURCES, "namespaces": ["A B"]}]}, {("resourceRules[0].namespaces[0]", "Invalid")}),
        ({"resourceRules": [{**RESOURCES, "verbs": ["odd"]}]}, {("resourceRules[0].verbs", "NotSupported")}),
        (
            {"nonResourceRules": [{"verbs": [""], "nonResourceURLs": ["a", "/a//b", "/a*", "/ok/*", "/"]}]},
            {
                ("nonResourceRules[0].verbs", "NotSupported"),
                *((f"nonResourceRules[0].nonResourceURLs[{i}]", "Invalid") for i in range(3)),
            },
        ),
    ],
)
def test_bad_flow_schemas(rule: Json, causes: set[tuple[str, str]]) -> None:
    whole = {**({} if "nonResourceRules" in rule else {"resourceRules": [RESOURCES]}), **rule}
    assert refused(schema, **whole) == {(f"spec.rules[0].{field}", reason) for field, reason in causes}


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({}, {("spec.type", "Required")}),
        ({"type": "Exempt"}, {("spec.type", "Invalid")}),
        ({"type": "Limited", "limited": {}}, {("spec.limited.limitResponse.type", "Required")}),
        (
            {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {"queues": 70000}}}},
            {("spec.limited.limitResponse.queuing.handSize", "Invalid")},
        ),
    ],
)
def test_bad_priority_levels(spec: Json, causes: set[tuple[str, str]]) -> None:
    assert refused(create, FLOW, "PriorityLevelConfiguration", spec=spec) == causes


def test_conditions_stand_once() -> None:
    old = create(FLOW, "PriorityLevelConfiguration", spec=LIMITED)
    status = {"conditions": [{"type": "a"}, {"type": "a"}, {}]}
    assert refused(update, old, {"status": status}, "status") == {
        ("status.conditions[1].type", "Duplicate"),
        ("status.conditions[2].type", "Required"),
    }


def test_what_every_server_has_stays() -> None:
    level = create(FLOW, "PriorityLevelConfiguration", "catch-all", spec=LIMITED)
    assert refused(update, level, {"spec": {"limited": {"nominalConcurrencyShares": 9}}}) == {("spec", "Invalid")}
    exempt = create(FLOW, "PriorityLevelConfiguration", "exempt", spec={"type": "Exempt"})
    assert update(exempt, {"spec": {"exempt": {"nominalConcurrencyShares": 9}}})
    other = create(FLOW, "PriorityLevelConfiguration", "other", spec=LIMITED)
    assert update(other, {"spec": {"limited": {"nominalConcurrencyShares": 9}}})


def endpoints(kind: str, *addresses: str, ports: Any = (), **endpoint: Any) -> Json:
    given = [{"addresses": list(addresses), **endpoint}]
    return create("discovery.k8s.io/v1", "EndpointSlice", addressType=kind, endpoints=given, ports=list(ports))


@pytest.mark.parametrize(
    ("given", "causes"),
    [
        (("IPv6", "10.0.0.1"), {("endpoints[0].addresses", "Invalid")}),
        (("IPv6", "2001:DB8::1"), {("endpoints[0].addresses[0]", "Invalid")}),
        (("IPv4", "10.0.0.01"), {("endpoints[0].addresses[0]", "Invalid")}),
        (("FQDN", "local"), {("endpoints[0].addresses[0]", "Invalid")}),
        (("FQDN", ""), {("endpoints[0].addresses[0]", "Required")}),
    ],
)
def test_bad_endpoints(given: tuple[str, ...], causes: set[tuple[str, str]]) -> None:
    assert refused(endpoints, *given) == causes


def test_endpoint_slices_keep_to_the_fields_of_their_version() -> None:
    assert "deprecatedTopology" not in endpoints("IPv4", "10.0.0.1", deprecatedTopology={"a": "b"})["endpoints"][0]
    assert endpoints("IPv4", "10.0.0.1", ports=[{"port": 70000}], hints={"forZones": [{"name": ""}]})
    assert refused(endpoints, "IPv4", "10.0.0.1", ports=[{"protocol": "", "appProtocol": ""}]) == {
        ("ports[0].protocol", "NotSupported"),
        ("ports[0].appProtocol", "Invalid"),
    }


def webhooks(**hook: Any) -> Json:
    return create(ADMISSION, "MutatingWebhookConfiguration", webhooks=[{**HOOK, **hook}])


@pytest.mark.parametrize(
    ("hook", "causes"),
    [
        ({"failurePolicy": ""}, {("failurePolicy", "NotSupported")}),
        (
            {"matchPolicy": "", "reinvocationPolicy": ""},
            {("matchPolicy", "NotSupported"), ("reinvocationPolicy", "NotSupported")},
        ),
        ({"sideEffects": ""}, {("sideEffects", "NotSupported")}),
        (
            {"admissionReviewVersions": ["v1", "*", "*"]},
            {
                ("admissionReviewVersions[1]", "Invalid"),
                ("admissionReviewVersions[2]", "Invalid"),
            },
        ),
        ({"clientConfig": {"service": {"namespace": "n"}}}, {("clientConfig.service.namespace", "Required")}),
        (
            {"clientConfig": {"service": {"namespace": "n", "name": "s", "path": "/A//b"}}},
            {("clientConfig.service.path", "Invalid")},
        ),
        ({"rules": [{**RULE, "scope": ""}]}, {("rules[0].scope", "NotSupported")}),
        (
            {"rules": [{**RULE, "resources": ["pods/*", "pods/log", "*/exec", "a/exec"]}]},
            {
                ("rules[0].resources[1]", "Invalid"),
                ("rules[0].resources[3]", "Invalid"),
            },
        ),
        ({"rules": [{**RULE, "resources": ["*", "pods"]}]}, {("rules[0].resources", "Invalid")}),
    ],
)
def test_bad_webhooks(hook: Json, causes: set[tuple[str, str]]) -> None:
    assert refused(webhooks, **hook) == {(f"webhooks[0].{field}", reason) for field, reason in causes}


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({"failurePolicy": ""}, {("failurePolicy", "NotSupported")}),
        (
            {"paramKind": {"apiVersion": "a/b/c", "kind": "A B"}},
            {("paramKind.apiVersion", "Invalid"), ("paramKind.kind", "Invalid")},
        ),
        ({"paramKind": {"apiVersion": "a_b/", "kind": "K"}}, {("paramKind.apiVersion", "Invalid")}),
        ({"validations": [{"expression": "true", "reason": ""}]}, {("validations[0].reason", "NotSupported")}),
        (
            {"auditAnnotations": [{"key": "k", "valueExpression": "'v'"}] * 2},
            {("auditAnnotations[1].key", "Duplicate")},
        ),
        (
            {"auditAnnotations": [{"key": "k", "valueExpression": "object.metadata.name"}]},
            {("auditAnnotations[0].valueExpression", "Invalid")},
        ),
        (
            {"matchConstraints": {"resourceRules": [{**RULE, "resourceNames": ["a", "a", "b/c"]}]}},
            {
                ("matchConstraints.resourceRules[0].resourceNames[1]", "Duplicate"),
                ("matchConstraints.resourceRules[0].resourceNames[2]", "Invalid"),
            },
        ),
    ],
)
def test_bad_policies(spec: Json, causes: set[tuple[str, str]]) -> None:
    found = refused(create, ADMISSION, "ValidatingAdmissionPolicy", spec={**POLICY, **spec})
    assert found == {(f"spec.{field}", reason) for field, reason in causes}


def test_parameters_are_named_or_selected() -> None:
    reference = {"name": "a", "selector": {}, "parameterNotFoundAction": ""}
    spec = {"policyName": "p", "validationActions": ["Deny"], "paramRef": reference}
    assert refused(create, ADMISSION, "ValidatingAdmissionPolicyBinding", spec=spec) == {
        ("spec.paramRef.name", "Forbidden"),
        ("spec.paramRef.selector", "Forbidden"),
        ("spec.paramRef.parameterNotFoundAction", "Required"),
    }


def test_ranges_of_services() -> None:
    def ranges(*cidrs: str) -> Json:
        return create(NETWORK, "ServiceCIDR", spec={"cidrs": list(cidrs)})

    old = ranges("10.0.0.0/24")
    assert refused(ranges, "10.0.0.0/24", "10.1.0.0/24") == {("spec.cidrs", "Invalid")}
    assert update(old, {"spec": {"cidrs": ["10.0.0.0/24", "fd00::/64"]}})
    assert refused(update, old, {"spec": {"cidrs": []}}) == {("spec.cidrs", "Invalid")}
    assert refused(update, old, {"spec": {"cidrs": ["10.9.0.0/24"]}}) == {("spec.cidrs[0]", "Invalid")}


def test_names_in_references_are_segments_of_a_path() -> None:
    backend = {"resource": {"apiGroup": "", "kind": "K", "name": "a/b"}}
    assert refused(create, NETWORK, "Ingress", spec={"defaultBackend": backend}) == {
        ("spec.defaultBackend.resource.apiGroup", "Invalid"),
        ("spec.defaultBackend.resource.name", "Invalid"),
    }
    parameters = {"apiGroup": "", "kind": "K", "name": "n", "scope": ""}
    assert refused(create, NETWORK, "IngressClass", spec={"controller": "a/b", "parameters": parameters}) == {
        ("spec.parameters.apiGroup", "Invalid"),
        ("spec.parameters.scope", "NotSupported"),
    }


def test_secrets_of_an_account_are_names() -> None:
    made = create("v1", "ServiceAccount", secrets=[{"name": "s", "kind": "Secret", "uid": "u"}])
    assert made["secrets"] == [{"name": "s"}]
