"""The other core kinds: what the server adds, refuses and prints."""

from __future__ import annotations

from typing import Any

import pytest

from kube import clock, registry
from kube.kinds.core.endpoints import check_reachable
from kube.objects import Json
from kube.registry import Settings
from tests.kube.kinds.groups.pipeline import CONTAINER, NOW, create, refused, row, update

V1 = "v1"
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
VOLUME = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce", "ReadOnlyMany"], "hostPath": {"path": "/x"}}


def test_every_core_resource_is_registered() -> None:
    names = {kind.plural for kind in registry.load().all() if (kind.group, kind.version) == ("", "v1")}
    assert names == {
        "bindings",
        "componentstatuses",
        "configmaps",
        "endpoints",
        "events",
        "limitranges",
        "namespaces",
        "nodes",
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "podtemplates",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "serviceaccounts",
        "services",
    }


def test_secret_texts_become_data() -> None:
    made = create(V1, "Secret", stringData={"a": "x"}, data={"b": "eQ=="})
    assert made["data"] == {"a": "eA==", "b": "eQ=="} and made["type"] == "Opaque" and "stringData" not in made
    assert row(made)["Data"] == 2


@pytest.mark.parametrize(
    ("body", "causes"),
    [
        ({"type": "kubernetes.io/tls"}, {("data[tls.crt]", "Required"), ("data[tls.key]", "Required")}),
        (
            {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{"}},
            {("data[.dockerconfigjson]", "Invalid")},
        ),
        (
            {"type": "kubernetes.io/service-account-token"},
            {("metadata.annotations[kubernetes.io/service-account.name]", "Required")},
        ),
        ({"data": {"a b": "eA=="}}, {("data[a b]", "Invalid")}),
        ({"stringData": {"a": "x" * (1024 * 1024 + 3)}}, {("data", "TooLong")}),
    ],
)
def test_bad_secrets(body: Json, causes: set[tuple[str, str]]) -> None:
    assert refused(create, V1, "Secret", **body) == causes


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_immutable_data(kind: str) -> None:
    old = create(V1, kind, immutable=True, data={"a": "eA=="})
    assert update(old, {"metadata": {"labels": {"a": "b"}}})
    assert refused(update, old, {"data": {"a": "eQ=="}}) == {("data", "Forbidden")}
    assert refused(update, old, {"immutable": None}) == {("immutable", "Forbidden")}


def test_config_map() -> None:
    assert row(create(V1, "ConfigMap", data={"a": "b"}, binaryData={"c": "eA=="}))["Data"] == 2
    assert refused(create, V1, "ConfigMap", data={"..": "x"}) == {("data[..]", "Invalid")}
    assert refused(create, V1, "ConfigMap", data={"a": "x"}, binaryData={"a": "eA=="}) == {("data[a]", "Invalid")}
    assert refused(create, V1, "ConfigMap", data={"a": "é" * 600_000}) == {("[]", "TooLong")}


def test_namespace() -> None:
    made = create(V1, "Namespace", "n")
    assert made["spec"] == {"finalizers": ["kubernetes"]} and made["status"] == {"phase": "Active"}
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    assert update(made, {"spec": {"finalizers": []}})["spec"] == {"finalizers": ["kubernetes"]}
    assert refused(create, V1, "Namespace", "a.b") == {("metadata.name", "Invalid")}
    assert refused(update, made, {"status": {"phase": "Terminating"}}, "status") == {("status.phase", "Invalid")}


def test_node() -> None:
    made = create(
        V1,
        "Node",
        meta={"labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "a"}},
        spec={"podCIDR": "10.0.0.0/24", "unschedulable": True},
        status={
            "capacity": {"cpu": "2000m"},
            "addresses": [{"type": "InternalIP", "address": "1.2.3.4"}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    )
    assert made["spec"]["podCIDRs"] == ["10.0.0.0/24"] and made["status"]["allocatable"] == {"cpu": "2"}
    cells = row(made)
    assert (cells["Status"], cells["Roles"], cells["Internal-IP"], cells["OS-Image"]) == (
        "Ready,SchedulingDisabled",
        "a,control-plane",
        "1.2.3.4",
        "<unknown>",
    )
    assert refused(update, made, {"spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]}}) == {
        ("spec.podCIDRs", "Forbidden")
    }
    assert row(create(V1, "Node"))["Status"] == "Unknown"


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({"taints": [{"key": "a"}]}, {("metadata.taints[0].effect", "Required")}),
        (
            {"taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}]},
            {("metadata.taints[1]", "Duplicate")},
        ),
        ({"podCIDRs": ["10.0.0.0/24", "10.1.0.0/24"]}, {("spec.podCIDRs", "Invalid")}),
        ({"podCIDR": "x"}, {("spec.podCIDRs[0]", "Invalid")}),
    ],
)
def test_bad_nodes(spec: Json, causes: set[tuple[str, str]]) -> None:
    assert refused(create, V1, "Node", spec=spec) == causes


def test_persistent_volume() -> None:
    made = create(V1, "PersistentVolume", spec={**VOLUME, "claimRef": {"namespace": "a", "name": "b"}})
    assert made["spec"]["persistentVolumeReclaimPolicy"] == "Retain" and made["status"]["phase"] == "Pending"
    cells = row(made)
    assert (cells["Access Modes"], cells["Claim"], cells["VolumeAttributesClass"]) == ("RWO,ROX", "a/b", "<unset>")
    assert refused(update, made, {"spec": {"hostPath": {"path": "/y"}}}) == {
        ("spec.persistentvolumesource", "Forbidden")
    }
    assert refused(update, made, {"spec": {"volumeMode": "Block"}}) == {("volumeMode", "Invalid")}
    bound = update(made, {"status": {"phase": "Bound"}}, "status")
    assert bound["status"]["phase"] == "Bound" and bound["status"]["lastPhaseTransitionTime"]


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"accessModes": []}, ("spec.accessModes", "Required")),
        ({"hostPath": None}, ("spec", "Required")),
        ({"nfs": {"server": "s", "path": "/"}}, ("spec.nfs", "Forbidden")),
        ({"hostPath": None, "local": {"path": "/x"}}, ("spec.nodeAffinity", "Required")),
        ({"persistentVolumeReclaimPolicy": "Odd"}, ("spec.persistentVolumeReclaimPolicy", "NotSupported")),
    ],
)
def test_bad_volumes(spec: Json, cause: tuple[str, str]) -> None:
    assert refused(create, V1, "PersistentVolume", spec={**VOLUME, **spec}) == {cause}


def test_claims_grow_once_bound() -> None:
    more, less = ({"spec": {"resources": {"requests": {"storage": size}}}} for size in ("2Gi", "1Mi"))
    old = create(V1, "PersistentVolumeClaim", spec={**CLAIM, "storageClassName": "sc"})
    assert refused(update, old, more) == {("spec", "Forbidden")}
    named = update(old, {"spec": {"volumeName": "pv"}})
    bound = update(named, {"status": {"phase": "Bound", "capacity": {"storage": "1024Mi"}}}, "status")
    assert update(bound, more)["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert refused(update, bound, less) == {("spec.resources.requests.storage", "Forbidden")}
    assert refused(update, bound, {"spec": {"volumeName": "other"}}) == {("spec", "Forbidden")}
    assert (row(bound)["Status"], row(bound)["Capacity"], row(old)["Capacity"]) == ("Bound", "1Gi", "")


def test_quota() -> None:
    made = create(V1, "ResourceQuota", spec={"hard": {"pods": 5, "limits.cpu": "4000m"}})
    assert made["spec"]["hard"] == {"pods": "5", "limits.cpu": "4"}
    new = update(made, {"status": {"hard": made["spec"]["hard"], "used": {"pods": "1"}}}, "status")
    assert (row(new)["Request"], row(new)["Limit"]) == ("pods: 1/5", "limits.cpu: 0/4")
    assert refused(update, made, {"spec": {"scopes": ["BestEffort"], "hard": {"limits.cpu": None}}}) == {
        ("spec.scopes", "Invalid")
    }


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"hard": {"pods": 1.5}}, ("spec.hard[pods]", "Invalid")),
        ({"hard": {"odd": 1}}, ("spec.hard[odd]", "Invalid")),
        ({"hard": {"cpu": 1}, "scopes": ["BestEffort"]}, ("spec.scopes", "Invalid")),
        ({"hard": {"pods": 1}, "scopes": ["BestEffort", "NotBestEffort"]}, ("spec.scopes", "Invalid")),
        (
            {
                "hard": {"pods": 1},
                "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]},
            },
            ("spec.scopeSelector.matchExpressions.values", "Required"),
        ),
    ],
)
def test_bad_quotas(spec: Json, cause: tuple[str, str]) -> None:
    assert refused(create, V1, "ResourceQuota", spec=spec) == {cause}


def limits(**item: Any) -> Json:
    return create(V1, "LimitRange", spec={"limits": [{"type": "Container", **item}]})


def test_limit_range_defaults() -> None:
    item = limits(max={"cpu": "2"}, min={"memory": "1Mi"}, default={"memory": "1Gi"})["spec"]["limits"][0]
    assert item["default"] == item["defaultRequest"] == {"cpu": "2", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("item", "causes"),
    [
        ({"default": {"cpu": 1}, "defaultRequest": {"cpu": 2}}, {("spec.limits[0].defaultRequest[cpu]", "Invalid")}),
        ({"maxLimitRequestRatio": {"cpu": 0.5}}, {("spec.limits[0].maxLimitRequestRatio[cpu]", "Invalid")}),
        ({"type": "Pod", "default": {"cpu": 1}}, {("spec.limits[0].default", "Forbidden")}),
        ({"type": "PersistentVolumeClaim"}, {("spec.limits[0].limits", "Required")}),
        ({"type": ""}, {("spec.limits[0].type", "Invalid")}),
    ],
)
def test_bad_limit_ranges(item: Json, causes: set[tuple[str, str]]) -> None:
    assert refused(limits, **item) == causes


def test_replication_controller_takes_its_selector_from_the_template() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}
    made = create(V1, "ReplicationController", spec={"template": template})
    assert made["spec"]["selector"] == made["metadata"]["labels"] == {"a": "b"}
    assert made["status"] == {"replicas": 0} and made["metadata"]["generation"] == 1
    cells = row(made)
    assert (cells["Desired"], cells["Current"], cells["Images"], cells["Selector"]) == (1, 0, "nginx", "a=b")
    assert refused(create, V1, "ReplicationController", spec={}) == {
        ("spec.selector", "Required"),
        ("spec.template", "Required"),
    }
    assert refused(update, made, {"status": {"readyReplicas": 1}}, "status") == {("status.readyReplicas", "Invalid")}


def test_pod_template_generation() -> None:
    made = create(V1, "PodTemplate", template={"spec": {"containers": [CONTAINER]}})
    assert row(made)["Pod Labels"] == "<none>" and made["metadata"]["generation"] == 1
    assert update(made, {"template": {"spec": {"hostname": "h"}}})["metadata"]["generation"] == 2


def test_event_rows() -> None:
    body: Json = {
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "ns"},
        "reason": "R",
        "message": " m\n",
        "source": {"component": "kubelet", "host": "h"},
        "firstTimestamp": clock.stamp(NOW - 600),
        "lastTimestamp": clock.stamp(NOW - 5),
        "count": 4,
    }
    cells = row(create(V1, "Event", **body))
    assert (
        cells["Last Seen"],
        cells["First Seen"],
        cells["Object"],
        cells["Source"],
        cells["Count"],
        cells["Message"],
    ) == ("5s", "10m", "pod/p", "kubelet, h", 4, "m")
    series: Json = {
        "eventTime": "2027-01-01T00:00:00.000000Z",
        "reportingComponent": "x",
        "reportingInstance": "y",
        "action": "a",
        "reason": "R",
        "involvedObject": {"kind": "Node", "namespace": "ns"},
        "series": {"count": 7, "lastObservedTime": clock.stamp(NOW - 1).replace("Z", ".000000Z")},
    }
    cells = row(create(V1, "Event", **series))
    assert (cells["Last Seen"], cells["Count"], cells["Object"], cells["Source"]) == ("1s", 7, "node", "x, y")


def test_events_live_with_their_object() -> None:
    assert refused(create, V1, "Event", involvedObject={"namespace": "other"}) == {
        ("involvedObject.namespace", "Invalid")
    }
    assert ("reportingInstance", "Required") in refused(
        create, V1, "Event", eventTime="2027-01-01T00:00:00.000000Z", involvedObject={"namespace": "ns"}
    )


def test_endpoints() -> None:
    addresses = [{"ip": f"10.0.0.{i}"} for i in range(1, 6)]
    made = create(V1, "Endpoints", subsets=[{"addresses": addresses, "ports": [{"port": 80}]}])
    assert made["subsets"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]
    assert row(made)["Endpoints"] == "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more..."
    assert row(create(V1, "Endpoints"))["Endpoints"] == "<none>"
    assert refused(create, V1, "Endpoints", subsets=[{}]) == {("subsets[0]", "Required")}


def test_loopback_endpoints_are_fine_where_pods_live_there() -> None:
    assert check_reachable("p", "127.244.0.5", Settings(pod_cidr="127.244.0.0/16")) == []
    assert [e.field for e in check_reachable("p", "127.0.0.1", Settings())] == ["p"]
    assert [e.field for e in check_reachable("p", "169.254.1.1", Settings())] == ["p"]
