"""Services and EndpointSlices in, service ports out."""

from __future__ import annotations

from typing import Any

from kubeproxy.rules import Endpoint, service_ports


def service(**spec: Any) -> dict[str, Any]:
    ports = spec.pop("ports", [{"name": "http", "protocol": "TCP", "port": 80}])
    spec = {"clusterIP": "10.96.0.7", "ports": ports, **spec}
    return {"metadata": {"namespace": "web", "name": "front"}, "spec": spec}


def endpoint(ip: str, node: str = "n1", **conditions: bool) -> dict[str, Any]:
    return {"addresses": [ip], "nodeName": node, "conditions": conditions or {"ready": True}}


def slice_of(*endpoints: dict[str, Any], port: int = 8080, name: str = "http") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "web", "name": "front-x", "labels": {"kubernetes.io/service-name": "front"}},
        "addressType": "IPv4",
        "ports": [{"name": name, "port": port, "protocol": "TCP"}],
        "endpoints": list(endpoints),
    }


def test_ready_endpoints_of_all_slices_are_joined_and_sorted() -> None:
    slices = [slice_of(endpoint("10.244.0.9")), slice_of(endpoint("10.244.0.3"), endpoint("10.244.0.9"))]
    [port] = service_ports([service()], slices, "n1")
    assert port.name == "web/front:http"
    assert port.internal == (Endpoint("10.244.0.3", 8080, True), Endpoint("10.244.0.9", 8080, True))


def test_endpoints_that_are_not_ready_are_left_out() -> None:
    [port] = service_ports([service()], [slice_of(endpoint("10.244.0.3", ready=False))], "n1")
    assert port.internal == ()


def test_terminating_endpoints_serve_only_when_no_other_is_left() -> None:
    leaving = endpoint("10.244.0.3", ready=False, serving=True, terminating=True)
    [alone] = service_ports([service()], [slice_of(leaving)], "n1")
    [beside] = service_ports([service()], [slice_of(leaving, endpoint("10.244.0.4"))], "n1")
    assert [e.ip for e in alone.internal] == ["10.244.0.3"]
    assert [e.ip for e in beside.internal] == ["10.244.0.4"]


def test_local_traffic_policies_keep_to_this_node() -> None:
    slices = [slice_of(endpoint("10.244.0.3", "n1"), endpoint("10.244.1.3", "n2"))]
    [port] = service_ports([service(internalTrafficPolicy="Local", type="NodePort")], slices, "n1")
    assert [e.ip for e in port.internal] == ["10.244.0.3"]
    assert [e.ip for e in port.external] == ["10.244.0.3", "10.244.1.3"]


def test_headless_external_and_foreign_services_are_not_forwarded() -> None:
    foreign = service()
    foreign["metadata"]["labels"] = {"service.kubernetes.io/service-proxy-name": "other"}
    assert service_ports([service(clusterIP="None"), service(type="ExternalName"), foreign], [], "n1") == []


def test_ports_are_matched_by_name() -> None:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "metrics", "port": 90, "protocol": "TCP"}]
    found = service_ports([service(ports=ports)], [slice_of(endpoint("10.244.0.3"))], "n1")
    assert {port.name: len(port.internal) for port in found} == {"web/front:http": 1, "web/front:metrics": 0}


def test_addresses_and_affinity() -> None:
    made = service(externalIPs=["192.0.2.1", "no address"], sessionAffinity="ClientIP", type="LoadBalancer")
    made["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}, {"hostname": "x"}]}}
    [port] = service_ports([made], [], "n1")
    assert port.external_addresses == ("192.0.2.1", "192.0.2.9")
    assert port.affinity_seconds == 10800
