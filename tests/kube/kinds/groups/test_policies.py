"""Kinds of rbac, policy, networking, discovery and autoscaling."""

from __future__ import annotations

from typing import Any

import pytest

from kube.kinds.autoscaling.convert import from_v1, to_v1
from tests.kube.kinds.groups.pipeline import KINDS, create, refused, row, update

RBAC, NET, HPA = "rbac.authorization.k8s.io/v1", "networking.k8s.io/v1", "autoscaling/v2"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}


def test_role_rules() -> None:
    assert refused(create, RBAC, "Role", rules=[{}]) == {
        (f"rules[0].{name}", "Required") for name in ("verbs", "apiGroups", "resources")
    }
    assert refused(create, RBAC, "Role", rules=[{"verbs": ["get"], "nonResourceURLs": ["/x"]}]) == {
        ("rules[0].nonResourceURLs", "Invalid")
    }
    assert create(RBAC, "ClusterRole", rules=[{"verbs": ["get"], "nonResourceURLs": ["/x"]}])
    assert create(RBAC, "Role", "system:a", rules=[{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])
    assert refused(create, RBAC, "Role", "a/b") == {("metadata.name", "Invalid")}


def test_binding_defaults_and_fixed_role() -> None:
    old = create(
        RBAC,
        "RoleBinding",
        roleRef={"kind": "Role", "name": "r"},
        subjects=[{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "ns"}],
    )
    assert old["roleRef"]["apiGroup"] == "rbac.authorization.k8s.io"
    assert [s.get("apiGroup") for s in old["subjects"]] == ["rbac.authorization.k8s.io", None]
    assert refused(update, old, {"roleRef": {"name": "y"}}) == {("roleRef", "Invalid")}
    assert (row(old)["Role"], row(old)["Users"], row(old)["ServiceAccounts"]) == ("Role/r", "u", "ns/s")


def test_disruption_budget() -> None:
    assert refused(create, "policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "maxUnavailable": 1}) == {
        ("spec", "Invalid")
    }
    made = create("policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": "25%"})
    cells = row(made)
    assert (cells["Min Available"], cells["Max Unavailable"], cells["Allowed Disruptions"]) == ("N/A", "25%", 0)


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        ({"from": [{}]}, ("from[0]", "Required")),
        ({"from": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}, ("from[0]", "Forbidden")),
        ({"from": [{"ipBlock": {"cidr": "x"}}]}, ("from[0].ipBlock.cidr", "Invalid")),
        (
            {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/8"]}}]},
            ("from[0].ipBlock.except[0]", "Invalid"),
        ),
        ({"ports": [{"port": 80, "endPort": 70}]}, ("ports[0].endPort", "Invalid")),
        ({"ports": [{"protocol": "ICMP"}]}, ("ports[0].protocol", "NotSupported")),
    ],
)
def test_network_policy(rule: dict[str, Any], cause: tuple[str, str]) -> None:
    assert refused(create, NET, "NetworkPolicy", spec={"podSelector": {}, "ingress": [rule]}) == {
        (f"spec.ingress[0].{cause[0]}", cause[1])
    }


def test_network_policy_types_follow_from_its_rules() -> None:
    spec = create(NET, "NetworkPolicy", spec={"podSelector": {}, "egress": [{"to": [{"podSelector": {}}]}]})["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize(
    ("backend", "cause"),
    [
        ({}, ("spec.defaultBackend", "Invalid")),
        ({"service": {"name": "s"}}, ("spec.defaultBackend", "Required")),
        ({"service": {"name": "s", "port": {"number": 80, "name": "x"}}}, ("spec.defaultBackend", "Invalid")),
        ({"service": {"name": "A_", "port": {"number": 80}}}, ("spec.defaultBackend.service.name", "Invalid")),
    ],
)
def test_ingress_backend(backend: dict[str, Any], cause: tuple[str, str]) -> None:
    assert refused(create, NET, "Ingress", spec={"defaultBackend": backend}) == {cause}


def test_ingress_cells() -> None:
    paths = [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]
    made = create(
        NET,
        "Ingress",
        spec={"rules": [{"host": "a.example.com", "http": {"paths": paths}}], "tls": [{"hosts": ["a.example.com"]}]},
    )
    cells = row(made)
    assert (cells["Class"], cells["Hosts"], cells["Ports"]) == ("<none>", "a.example.com", "80, 443")
    bad = [{**paths[0], "path": "a//b"}]
    assert ("spec.rules[0].http.paths[0].path", "Invalid") in refused(
        create, NET, "Ingress", spec={"rules": [{"http": {"paths": bad}}]}
    )


def test_an_ip_address_is_named_by_itself() -> None:
    parent = {"parentRef": {"resource": "services", "name": "s", "namespace": "ns"}}
    assert row(create(NET, "IPAddress", "10.0.0.1", spec=parent))["ParentRef"] == "services/ns/s"
    assert refused(create, NET, "IPAddress", "10.0.0.01", spec=parent) == {("metadata.name", "Invalid")}


def slice_of(**body: Any) -> dict[str, Any]:
    filled = {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}], **body}
    return create("discovery.k8s.io/v1", "EndpointSlice", **filled)


def test_endpoint_slice() -> None:
    old = slice_of()
    assert old["ports"] == [{"name": "", "protocol": "TCP", "port": 80}]
    assert update(old, {"metadata": {"labels": {"l": "m"}}})["metadata"]["generation"] == 2
    assert refused(update, old, {"addressType": "IPv6"}) >= {("addressType", "Invalid")}
    assert refused(slice_of, endpoints=[{"addresses": ["127.0.0.1"]}]) == {("endpoints[0].addresses[0]", "Invalid")}
    assert refused(slice_of, ports=[{"name": "a"}, {"name": "a"}]) == {("ports[1].name", "Duplicate")}
    assert (row(old)["Ports"], row(old)["Endpoints"]) == ("80", "10.0.0.1")


def test_autoscaler_defaults_and_rules() -> None:
    spec = create(HPA, "HorizontalPodAutoscaler", spec={"maxReplicas": 3, "scaleTargetRef": TARGET})["spec"]
    target = {"type": "Utilization", "averageUtilization": 80}
    assert spec["metrics"][0]["resource"] == {"name": "cpu", "target": target}
    assert refused(
        create, HPA, "HorizontalPodAutoscaler", spec={"minReplicas": 5, "maxReplicas": 3, "scaleTargetRef": TARGET}
    ) == {("spec.maxReplicas", "Invalid")}
    assert refused(
        create,
        HPA,
        "HorizontalPodAutoscaler",
        spec={"maxReplicas": 3, "scaleTargetRef": TARGET, "metrics": [{"type": "Resource"}]},
    ) == {("spec.metrics[0].resource", "Required")}


def test_autoscaler_v1_is_a_view_on_v2() -> None:
    made = create(
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        spec={"maxReplicas": 3, "scaleTargetRef": TARGET, "targetCPUUtilizationPercentage": 50},
    )
    assert KINDS.by_storage("horizontalpodautoscalers.autoscaling").version == "v2"
    assert made["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    made["spec"]["behavior"] = {"scaleDown": {"selectPolicy": "Disabled"}}
    v1 = to_v1({**made, "spec": dict(made["spec"]), "status": {}, "metadata": dict(made["metadata"])})
    assert v1["spec"]["targetCPUUtilizationPercentage"] == 50 and "behavior" not in v1["spec"]
    assert from_v1(v1)["spec"]["behavior"] == {"scaleDown": {"selectPolicy": "Disabled"}}


def test_autoscaler_tolerance() -> None:
    spec = {"maxReplicas": 3, "scaleTargetRef": TARGET}
    made = create(HPA, "HorizontalPodAutoscaler", spec={**spec, "behavior": {"scaleUp": {"tolerance": 0.05}}})
    assert made["spec"]["behavior"]["scaleUp"]["tolerance"] == "50m"
    assert refused(
        create, HPA, "HorizontalPodAutoscaler", spec={**spec, "behavior": {"scaleDown": {"tolerance": "-1"}}}
    ) == {("spec.behavior.scaleDown.tolerance", "Invalid")}


def test_autoscaler_targets() -> None:
    made = create(HPA, "HorizontalPodAutoscaler", spec={"maxReplicas": 3, "scaleTargetRef": TARGET})
    assert row(made)["Targets"] == "cpu: <unknown>/80%"
    made["status"]["currentMetrics"] = [
        {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 20, "averageValue": "100m"}}}
    ]
    assert (row(made)["Targets"], row(made)["Reference"]) == ("cpu: 20%/80%", "Deployment/d")
