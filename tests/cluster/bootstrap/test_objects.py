"""The bootstrap objects: complete, unique, and with working aggregated roles."""

from __future__ import annotations

from cluster import bootstrap
from kube.objects import Json
from kube.registry import Settings

OBJECTS = bootstrap.objects(Settings(service_cidr="127.96.0.0/16"), api_port=16443)


def of_kind(kind: str) -> dict[str, Json]:
    return {o["metadata"]["name"]: o for o in OBJECTS if o["kind"] == kind}


def test_no_object_twice() -> None:
    keys = [(o["apiVersion"], o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in OBJECTS]
    assert len(keys) == len(set(keys))


def test_namespaces_come_before_what_is_in_them() -> None:
    assert [o["metadata"]["name"] for o in OBJECTS[:4]] == ["default", "kube-system", "kube-public", "kube-node-lease"]


def test_aggregated_roles_hold_rules_and_keep_their_selector() -> None:
    roles = of_kind("ClusterRole")
    for name in ("view", "edit", "admin"):
        assert roles[name]["aggregationRule"]["clusterRoleSelectors"]
    view, edit, admin = (roles[name]["rules"] for name in ("view", "edit", "admin"))
    assert all(rule in edit for rule in view) and all(rule in admin for rule in edit)
    assert not any("secrets" in rule.get("resources", []) for rule in view)


def test_default_roles_are_all_there() -> None:
    assert sum(not name.startswith("binnacle:") for name in of_kind("ClusterRole")) == 69
    assert of_kind("ClusterRole")["binnacle:host-ports"]["rules"][0]["resources"] == ["pods"]
    assert of_kind("ClusterRoleBinding")["cluster-admin"]["subjects"][0]["name"] == "system:masters"


def test_kubernetes_service_takes_the_first_address_of_the_range() -> None:
    service = of_kind("Service")["kubernetes"]
    assert service["spec"]["clusterIP"] == "127.96.0.1"
    assert service["spec"]["ports"][0]["targetPort"] == 16443
    assert of_kind("ServiceCIDR")["kubernetes"]["spec"]["cidrs"] == ["127.96.0.0/16"]
    assert "127.96.0.1" in of_kind("IPAddress")


def test_system_priority_classes() -> None:
    assert {n: o["value"] for n, o in of_kind("PriorityClass").items()} == {
        "system-cluster-critical": 2000000000,
        "system-node-critical": 2000001000,
    }


def test_each_group_version_has_an_apiservice() -> None:
    assert {"v1.", "v1.apps", "v2.autoscaling", "v1.autoscaling"} <= set(of_kind("APIService"))
