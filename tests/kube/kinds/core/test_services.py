"""Services: addresses and ports handed out, kept, dropped and refused."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from kube import registry
from kube.kinds.core import serviceaddresses
from kube.objects import Json
from kube.registry import Context, Settings
from tests.kube.kinds.groups.pipeline import create, refused, row, update

PORTS = [{"port": 80}]


def service(**spec: Any) -> Json:
    return create("v1", "Service", spec={"ports": PORTS, **spec})


def bad(**spec: Any) -> set[tuple[str, str]]:
    return refused(service, **spec)


class Holding:
    """A cache in which these Services exist."""

    def __init__(self, *services: Json) -> None:
        self.entries = [SimpleNamespace(body=orjson.dumps(item)) for item in services]

    def list(self, storage: str) -> list[SimpleNamespace]:
        assert storage == "services"
        return self.entries


def held(**spec: Any) -> Context:
    other: Any = Holding({"metadata": {"uid": "other"}, "spec": spec})
    return Context(cache=other)


def test_cluster_ip() -> None:
    spec = service()["spec"]
    assert ipaddress.ip_address(spec["clusterIP"]) in ipaddress.ip_network("10.96.0.0/16")
    assert spec == {
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "clusterIP": spec["clusterIP"],
        "clusterIPs": [spec["clusterIP"]],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
    }


def test_node_ports_are_shared_by_protocols_of_one_port() -> None:
    ports = [{"port": 53, "name": "a"}, {"port": 53, "protocol": "UDP", "name": "b"}, {"port": 80, "name": "c"}]
    given = [port["nodePort"] for port in service(type="NodePort", ports=ports)["spec"]["ports"]]
    assert given[0] == given[1] != given[2] and all(30000 <= number <= 32767 for number in given)


def test_load_balancer_with_local_traffic_has_a_health_port() -> None:
    spec = service(type="LoadBalancer", externalTrafficPolicy="Local")["spec"]
    assert spec["allocateLoadBalancerNodePorts"] is True and spec["healthCheckNodePort"] >= 30000


def test_headless() -> None:
    assert service(clusterIP="None", selector={"a": "b"})["spec"]["ipFamilies"] == ["IPv4"]
    assert service(clusterIP="None")["spec"]["ipFamilyPolicy"] == "RequireDualStack"


def test_claims() -> None:
    kind = registry.BUILT_IN.by_storage("services")
    assert kind is not None
    made = service(
        type="NodePort",
        clusterIP="10.96.0.9",
        ports=[
            {"port": 1, "nodePort": 30001, "name": "a"},
            {"port": 1, "nodePort": 30001, "protocol": "UDP", "name": "b"},
        ],
    )
    assert kind.strategy.claims(made) == [("clusterip", "10.96.0.9"), ("nodeport", "30001")]
    assert kind.strategy.claims(service(clusterIP="None")) == []


def test_free_values_avoid_what_others_hold() -> None:
    ctx = held(clusterIP="10.96.0.1", ports=[{"nodePort": 30000}])
    ctx.settings = Settings(service_cidr="10.96.0.0/30", node_port_range=(30000, 30001))
    assert {serviceaddresses.free_address(ctx, "me") for _ in range(20)} == {"10.96.0.2"}
    assert {serviceaddresses.free_port(ctx, "me", set()) for _ in range(20)} == {30001}
    assert serviceaddresses.is_port_held(ctx, 30000, "me") and not serviceaddresses.is_port_held(ctx, 30000, "other")


def test_chosen_values_must_be_free() -> None:
    kind = registry.BUILT_IN.by_storage("services")
    assert kind is not None
    made = service(type="NodePort", clusterIP="10.96.0.9", ports=[{"port": 80, "nodePort": 30005}])
    causes = kind.strategy.validate(made, held(clusterIP="10.96.0.9", ports=[{"port": 1, "nodePort": 30005}]))
    assert [cause.field for cause in causes] == ["spec.clusterIPs"]
    causes = kind.strategy.validate(made, held(clusterIP="10.96.0.8", ports=[{"port": 1, "nodePort": 30005}]))
    assert [cause.field for cause in causes] == ["spec.ports[0].nodePort"]
    assert kind.strategy.validate(made, held(clusterIP="10.96.0.99", ports=[{"port": 1, "nodePort": 30006}])) == []


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"ports": []}, ("spec.ports", "Required")),
        ({"ports": [{"port": 1}, {"port": 2}]}, ("spec.ports[0].name", "Required")),
        ({"ports": [{"port": 0}]}, ("spec.ports[0].port", "Invalid")),
        ({"type": "Odd"}, ("spec.type", "NotSupported")),
        ({"clusterIP": "x"}, ("spec.clusterIPs[0]", "Invalid")),
        ({"clusterIP": "1.2.3.4"}, ("spec.clusterIPs", "Invalid")),
        ({"clusterIP": "None", "type": "NodePort"}, ("spec.clusterIPs[0]", "Invalid")),
        ({"ipFamilies": ["IPv6"]}, ("spec.ipFamilies[0]", "Invalid")),
        ({"ipFamilyPolicy": "RequireDualStack"}, ("spec.ipFamilyPolicy", "Invalid")),
        ({"ports": [{"port": 80, "nodePort": 30001}]}, ("spec.ports[0].nodePort", "Forbidden")),
        ({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]}, ("spec.ports[0].nodePort", "Invalid")),
        (
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}},
            ("spec.sessionAffinityConfig.clientIP.timeoutSeconds", "Invalid"),
        ),
        ({"loadBalancerClass": "a"}, ("spec.loadBalancerClass", "Forbidden")),
        ({"loadBalancerSourceRanges": ["10.0.0.0/8"]}, ("spec.LoadBalancerSourceRanges", "Forbidden")),
        ({"externalIPs": ["127.0.0.1"]}, ("spec.externalIPs[0]", "Invalid")),
        ({"selector": {"a b": "c"}}, ("spec.selector", "Invalid")),
        ({"externalTrafficPolicy": "Local"}, ("spec.externalTrafficPolicy", "Invalid")),
        ({"type": "ExternalName"}, ("spec.externalName", "Required")),
        ({"type": "ExternalName", "externalName": "a", "ipFamilyPolicy": ""}, ("spec.ipFamilyPolicy", "Forbidden")),
        ({"ipFamilyPolicy": ""}, ("spec.ipFamilyPolicy", "NotSupported")),
        ({"ipFamilies": ["a", "a"]}, ("spec.ipFamilies[1]", "Duplicate")),
        ({"clusterIPs": ["10.96.0.7"]}, ("spec.clusterIPs", "Invalid")),
        ({"clusterIP": "None", "clusterIPs": ["None", "x"]}, ("spec.clusterIPs[1]", "Invalid")),
        ({"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "10.96.0.8"]}, ("spec.clusterIPs", "Invalid")),
        (
            {"clusterIP": "None", "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4", "IPv6"]},
            ("spec.ipFamilyPolicy", "Invalid"),
        ),
        ({"ports": [{"port": 80, "appProtocol": ""}]}, ("spec.ports[0].appProtocol", "Invalid")),
        ({"trafficDistribution": "Odd"}, ("spec.trafficDistribution", "NotSupported")),
        ({"loadBalancerSourceRanges": ["10.0.0.1/8"]}, ("spec.LoadBalancerSourceRanges[0]", "Invalid")),
        (
            {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": -1},
            ("spec.healthCheckNodePort", "Invalid"),
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "name": n, "nodePort": 30001} for n in ("a", "b")]},
            ("spec.ports[1].nodePort", "Duplicate"),
        ),
        (
            {"type": "NodePort", "ports": [{"port": p, "name": f"p{p}", "nodePort": 30001} for p in (80, 81)]},
            ("spec.ports[1].nodePort", "Invalid"),
        ),
    ],
)
def test_bad_services(spec: Json, cause: tuple[str, str]) -> None:
    assert cause in bad(**spec)


def test_a_cluster_ip_stays() -> None:
    old = service()
    kept = update(old, {"spec": {"clusterIP": "", "clusterIPs": None}})
    assert kept["spec"] == old["spec"]
    assert refused(update, old, {"spec": {"clusterIP": "10.96.9.9"}}) == {("spec.clusterIPs[0]", "Invalid")}
    assert ("spec.clusterIPs[0]", "Invalid") in refused(
        update, old, {"spec": {"clusterIP": "None", "clusterIPs": ["None"]}}
    )


def test_a_change_of_type_drops_what_the_old_one_had() -> None:
    nodes = update(service(), {"spec": {"type": "NodePort"}})
    number = nodes["spec"]["ports"][0]["nodePort"]
    balanced = update(nodes, {"spec": {"type": "LoadBalancer"}})
    assert balanced["spec"]["ports"][0]["nodePort"] == number
    plain = update(balanced, {"spec": {"type": "ClusterIP"}})["spec"]
    assert "nodePort" not in plain["ports"][0] and "externalTrafficPolicy" not in plain
    named = update(nodes, {"spec": {"type": "ExternalName", "externalName": "a.b"}})["spec"]
    assert named == {
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "type": "ExternalName",
        "sessionAffinity": "None",
        "externalName": "a.b",
    }


def test_what_is_wrong_with_addresses_is_told_alone() -> None:
    assert bad(ipFamilies=["Odd"], type="Odd", ports=[]) == {("spec.ipFamilies[0]", "NotSupported")}


def test_node_ports_stay_by_the_name_of_their_port() -> None:
    ports = [{"port": 1, "name": "a"}, {"port": 2, "name": "b"}]
    old = service(type="NodePort", ports=ports)
    given = {port["name"]: port["nodePort"] for port in old["spec"]["ports"]}
    swapped = [{"port": 2, "name": "a"}, {"port": 1, "name": "b"}]
    kept = update(old, {"spec": {"ports": swapped}})["spec"]["ports"]
    assert {port["name"]: port["nodePort"] for port in kept} == given


def test_the_annotation_for_source_ranges_is_judged_as_the_field() -> None:
    note = "service.beta.kubernetes.io/load-balancer-source-ranges"
    meta = {"annotations": {note: " 10.0.0.0/8, x "}}
    found = refused(create, "v1", "Service", meta=meta, spec={"ports": PORTS, "type": "LoadBalancer"})
    assert found == {(f"metadata.annotations[{note}]", "Invalid")}


def test_addresses_that_were_there_are_left_alone() -> None:
    old = service(externalIPs=["192.0.2.1"])
    old["spec"]["externalIPs"] = ["192.0.2.01"]
    assert update(old, {"metadata": {"labels": {"a": "b"}}})
    assert refused(update, old, {"spec": {"externalIPs": ["192.0.2.01", "192.0.2.02"]}}) == {
        ("spec.externalIPs[1]", "Invalid")
    }


def test_warnings() -> None:
    kind = registry.BUILT_IN.by_storage("services")
    assert kind is not None
    made = service(type="LoadBalancer", loadBalancerSourceRanges=["2001:DB8::/32"], externalIPs=["2001:DB8::1"])
    assert [text.split(":", 1)[0] for text in kind.strategy.warnings(made, None, Context())] == [
        "spec.externalIPs[0]",
        "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
        "spec.loadBalancerSourceRanges[0]",
    ]


def test_load_balancer_class_is_fixed() -> None:
    old = service(type="LoadBalancer", loadBalancerClass="a.example.com/b")
    assert refused(update, old, {"spec": {"loadBalancerClass": None}}) == {("spec.loadBalancerClass", "Invalid")}


def test_status() -> None:
    ingress = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}}
    assert refused(update, service(), ingress, "status") == {("status.loadBalancer.ingress", "Forbidden")}
    new = update(service(type="LoadBalancer"), ingress, "status")
    assert new["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.9", "ipMode": "VIP"}]
    assert row(new)["External-IP"] == "192.0.2.9"


def test_rows() -> None:
    made = service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}], selector={"b": "c", "a": "d"})
    cells = row(made)
    assert (cells["Port(s)"], cells["External-IP"], cells["Selector"]) == ("80:30080/TCP", "<none>", "a=d,b=c")
    assert row(service(type="LoadBalancer"))["External-IP"] == "<pending>"
    assert row(service(type="ExternalName", externalName="a.b", ports=[]))["Cluster-IP"] == "<none>"
