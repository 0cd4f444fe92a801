"""kube_ingress_*, kube_ingressclass_*, kube_networkpolicy_*, kube_endpointslice_*"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kube.objects import Json
from monitoring.objects.families import Families, Sample, find, flag
from monitoring.objects.selection import labels

INGRESSES = Families("networking.k8s.io/v1", "ingresses", namespace="namespace", ingress="name")
INGRESSCLASSES = Families("networking.k8s.io/v1", "ingressclasses", ingressclass="name")
NETWORKPOLICIES = Families("networking.k8s.io/v1", "networkpolicies", namespace="namespace", networkpolicy="name")
ENDPOINTSLICES = Families("discovery.k8s.io/v1", "endpointslices", endpointslice="name", namespace="namespace")
OLD_CLASS = "kubernetes.io/ingress.class"


@INGRESSES.gauge("kube_ingress_info", "Information about ingress.")
def ingress(obj: Json) -> Iterable[Sample]:
    named = (obj["metadata"].get("annotations") or {}).get(OLD_CLASS)
    name = obj["spec"].get("ingressClassName")
    return ((labels(ingressclass=named if named is not None else "_default" if name is None else name), 1),)


INGRESSES.created("kube_ingress")
INGRESSES.version("kube_ingress")
INGRESSES.selectable("kube_ingress")


@INGRESSES.gauge("kube_ingress_path", "Ingress host, paths and backend service information.")
def path(obj: Json) -> Iterator[Sample]:
    for rule in obj["spec"].get("rules") or ():
        for each in find(rule, "http", "paths") or ():
            yield (
                labels(host=rule.get("host"), path=each.get("path"), path_type=each.get("pathType"))
                + _to(each["backend"]),
                1,
            )


def _to(backend: Json) -> str:
    if service := backend.get("service"):
        number = find(service, "port", "number") or 0
        return labels(service_name=service["name"], service_port=str(number))
    resource = backend["resource"]
    return labels(
        resource_api_group=resource.get("apiGroup"), resource_kind=resource["kind"], resource_name=resource["name"]
    )


@INGRESSES.gauge("kube_ingress_tls", "Ingress TLS host and secret information.")
def tls(obj: Json) -> Iterator[Sample]:
    for each in obj["spec"].get("tls") or ():
        for host in each.get("hosts") or ():
            yield labels(tls_host=host, secret=each.get("secretName")), 1


@INGRESSCLASSES.gauge("kube_ingressclass_info", "Information about ingressclass.")
def ingress_class(obj: Json) -> Iterable[Sample]:
    return ((labels(controller=obj["spec"].get("controller")), 1),)


INGRESSCLASSES.created("kube_ingressclass")
INGRESSCLASSES.selectable("kube_ingressclass")
NETWORKPOLICIES.created("kube_networkpolicy")
NETWORKPOLICIES.selectable("kube_networkpolicy")


def _rules(way: str) -> None:
    NETWORKPOLICIES.add(
        f"kube_networkpolicy_spec_{way}_rules",
        f"Number of {way} rules on the networkpolicy.",
        lambda obj: (("", len(find(obj, "spec", way) or ())),),
    )


_rules("ingress")
_rules("egress")


@ENDPOINTSLICES.gauge("kube_endpointslice_info", "Information about endpointslice.")
def endpoint_slice(obj: Json) -> Iterable[Sample]:
    return ((labels(addresstype=obj.get("addressType")), 1),)


ENDPOINTSLICES.created("kube_endpointslice")
ENDPOINTSLICES.selectable("kube_endpointslice")


@ENDPOINTSLICES.gauge("kube_endpointslice_endpoints_hints", "Topology routing hints attached to endpoints.")
def hints(obj: Json) -> Iterator[Sample]:
    for endpoint in obj.get("endpoints") or ():
        for zone in find(endpoint, "hints", "forZones") or ():
            for address in endpoint["addresses"][:1]:
                yield labels(address=address, for_zone=zone["name"]), 1


@ENDPOINTSLICES.gauge("kube_endpointslice_endpoints", "Endpoints attached to the endpointslice.")
def endpoints(obj: Json) -> Iterator[Sample]:
    for endpoint in obj.get("endpoints") or ():
        is_so, target = endpoint.get("conditions") or {}, endpoint.get("targetRef") or {}
        about = labels(
            ready=flag(is_so.get("ready")),
            serving=flag(is_so.get("serving")),
            hostname=endpoint.get("hostname"),
            terminating=flag(is_so.get("terminating")),
            targetref_kind=target.get("kind"),
            targetref_name=target.get("name"),
            targetref_namespace=target.get("namespace"),
            endpoint_nodename=endpoint.get("nodeName"),
            endpoint_zone=endpoint.get("zone"),
        )
        for address in endpoint.get("addresses") or ():
            yield about + labels(address=address), 1


@ENDPOINTSLICES.gauge("kube_endpointslice_ports", "Ports attached to the endpointslice.")
def ports(obj: Json) -> Iterator[Sample]:
    for port in obj.get("ports") or ():
        number = "" if port.get("port") is None else str(port["port"])
        yield labels(port_name=port.get("name"), port_protocol=port.get("protocol"), port_number=number), 1
