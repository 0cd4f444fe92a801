"""Service: a stable name and address for pods. Addresses are in `serviceaddresses`, rules in `servicerules`."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube import selectors
from kube.errors import FieldError
from kube.kinds.core import serviceaddresses, servicerules
from kube.kinds.core.base import CoreStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import dns1123_label

_CLIENT_IP_SECONDS = 10800


class ServiceStrategy(CoreStrategy):
    status = True
    create_on_update = True
    name_check = staticmethod(dns1123_label)

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        kind = spec["type"] = spec.get("type") or "ClusterIP"
        affinity = spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
        if affinity == "None":
            spec.pop("sessionAffinityConfig", None)
        elif affinity == "ClientIP":
            config = spec.setdefault("sessionAffinityConfig", {})
            config.setdefault("clientIP", {}).setdefault("timeoutSeconds", _CLIENT_IP_SECONDS)
        for port in spec.get("ports") or ():
            port["protocol"] = port.get("protocol") or "TCP"
            port["targetPort"] = port.get("targetPort") or port.get("port", 0)
        if serviceaddresses.is_external(spec):
            spec["externalTrafficPolicy"] = spec.get("externalTrafficPolicy") or "Cluster"
        if kind in serviceaddresses.NEEDS_IP:
            spec.setdefault("internalTrafficPolicy", "Cluster")
        if kind == "LoadBalancer":
            spec.setdefault("allocateLoadBalancerNodePorts", True)
            for ingress in ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
                if ingress.get("ip"):
                    ingress.setdefault("ipMode", "VIP")

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        obj["status"] = {}
        spec = obj["spec"]
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        super().prepare_update(obj, old, ctx)
        new, before = obj["spec"], old["spec"]
        serviceaddresses.carry_over(new, before)
        serviceaddresses.align_cluster_ips(new, before)
        serviceaddresses.drop_foreign(new, before)
        if new["type"] != "LoadBalancer" and (obj.get("status") or {}).get("loadBalancer"):
            obj["status"] = {**obj["status"], "loadBalancer": {}}

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        if errors := serviceaddresses.allocate(obj, None, ctx):
            return errors
        errors = super().validate(obj, ctx) + servicerules.check_service(obj, {}, ctx.settings)
        return errors or _without_inner_policy(obj)

    def validate_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        errors = serviceaddresses.allocate(obj, old, ctx) or super().validate_update(obj, old, ctx)
        return errors or _without_inner_policy(obj)

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        changed = servicerules.check_change(obj["spec"], old["spec"])
        return changed + servicerules.check_service(obj, old["spec"], ctx.settings)

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = ((o.get("status") or {}).get("loadBalancer") or {} for o in (obj, old))
        return servicerules.check_load_balancer(new, before, obj["spec"])

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        return servicerules.warnings(obj)

    def claims(self, obj: Json) -> list[tuple[str, str]]:
        """Cluster IPs and node ports; a node port is one value, whatever its protocols."""
        spec = obj.get("spec") or {}
        held = [("clusterip", ip) for ip in spec.get("clusterIPs") or () if ip != "None"]
        ports = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
        if spec.get("healthCheckNodePort"):
            ports.add(spec["healthCheckNodePort"])
        return held + [("nodeport", str(port)) for port in sorted(ports)]


def _without_inner_policy(obj: Json) -> list[FieldError]:
    """Kubernetes checks the policy of a Service that only names another host, and does not show it."""
    if obj["spec"]["type"] == "ExternalName":
        obj["spec"].pop("internalTrafficPolicy", None)
    return []


def _external(spec: Json, status: Json) -> str:
    """What the column External-IP shows."""
    addresses = spec.get("externalIPs") or []
    kind = spec.get("type")
    if kind == "ExternalName":
        name: str = spec.get("externalName", "")
        return name
    if kind != "LoadBalancer":
        return ",".join(addresses) or c.NONE
    ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
    given = [item.get("ip") or item.get("hostname", "") for item in ingress]
    return ",".join([*given, *addresses]) or "<pending>"


def _cells(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    ips = spec.get("clusterIPs")
    ports = [
        f"{p.get('port')}:{p['nodePort']}/{p.get('protocol')}"
        if p.get("nodePort")
        else f"{p.get('port')}/{p.get('protocol')}"
        for p in spec.get("ports") or ()
    ]
    return [
        obj["metadata"]["name"],
        spec.get("type", ""),
        (ips[0] if ips else spec.get("clusterIP")) or c.NONE,
        _external(spec, status),
        ",".join(ports) or c.NONE,
        c.age(obj, now),
        c.labels(spec.get("selector")),
    ]


KINDS = (
    Kind(
        "",
        "v1",
        "Service",
        "services",
        short_names=("svc",),
        categories=("all",),
        subresources=("proxy", "status"),
        definition="io.k8s.api.core.v1.Service",
        strategy=ServiceStrategy(),
        cells=_cells,
        fields={"spec.clusterIP": selectors.field("spec", "clusterIP"), "spec.type": selectors.field("spec", "type")},
        columns=(
            c.NAME,
            c.column("Type", description="How it is exposed."),
            c.column("Cluster-IP", description="Its address within the cluster."),
            c.column("External-IP", description="Its addresses from outside."),
            c.column("Port(s)", description="Its ports, each with its node port and protocol."),
            c.AGE,
            c.column("Selector", description="Labels of the pods behind it.", wide=True),
        ),
    ),
)
