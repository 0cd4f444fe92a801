"""kube_service_*, kube_endpoint_*"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kube.objects import Json
from monitoring.objects import wishes
from monitoring.objects.families import Families, Sample, find
from monitoring.objects.selection import labels

SERVICES = Families("v1", "services", note=wishes.of_service, namespace="namespace", service="name", uid="uid")
ENDPOINTS = Families("v1", "endpoints", namespace="namespace", endpoint="name")

SERVICES.lifetime("kube_service")
SERVICES.selectable("kube_service")


@SERVICES.gauge("kube_service_info", "Information about service.")
def info(service: Json) -> Iterable[Sample]:
    spec = service["spec"]
    return (
        (
            labels(
                cluster_ip=spec.get("clusterIP"),
                external_name=spec.get("externalName"),
                load_balancer_ip=spec.get("loadBalancerIP"),
                external_traffic_policy=spec.get("externalTrafficPolicy"),
            ),
            1,
        ),
    )


@SERVICES.gauge("kube_service_spec_type", "Type about service.")
def kind(service: Json) -> Iterable[Sample]:
    return ((labels(type=service["spec"].get("type")), 1),)


@SERVICES.gauge("kube_service_spec_external_ip", "Service external ips. One series for each ip")
def external(service: Json) -> Iterator[Sample]:
    return ((labels(external_ip=ip), 1) for ip in service["spec"].get("externalIPs") or ())


@SERVICES.gauge("kube_service_status_load_balancer_ingress", "Service load balancer ingress status")
def ingress(service: Json) -> Iterator[Sample]:
    for each in find(service, "status", "loadBalancer", "ingress") or ():
        yield labels(ip=each.get("ip"), hostname=each.get("hostname")), 1


ENDPOINTS.created("kube_endpoint")
ENDPOINTS.selectable("kube_endpoint")
ENDPOINTS.info("kube_endpoint")


@ENDPOINTS.gauge("kube_endpoint_address", "Information about Endpoint available and non available addresses.")
def address(endpoints: Json) -> Iterator[Sample]:
    for subset in endpoints.get("subsets") or ():
        for port in subset.get("ports") or ():
            about = labels(
                port_protocol=port.get("protocol"), port_number=str(port.get("port", "")), port_name=port.get("name")
            )
            for field, ready in (("addresses", "true"), ("notReadyAddresses", "false")):
                for each in subset.get(field) or ():
                    yield about + labels(ip=each["ip"], ready=ready), 1


@ENDPOINTS.gauge("kube_endpoint_ports", "Information about the Endpoint ports.")
def ports(endpoints: Json) -> Iterator[Sample]:
    found = {
        labels(port_name=port.get("name"), port_protocol=port.get("protocol"), port_number=str(port["port"]))
        for subset in endpoints.get("subsets") or ()
        for port in subset.get("ports") or ()
    }
    return ((each, 1) for each in sorted(found))
