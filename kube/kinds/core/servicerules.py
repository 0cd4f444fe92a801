"""What a Service may say, and what of it may change."""

from __future__ import annotations

from kube.errors import FieldError, duplicate, forbidden, invalid, required
from kube.ipaddresses import cidr, cidr_warnings, ip_address, ip_of, ip_warnings
from kube.kinds.core.endpoints import check_reachable
from kube.kinds.core.serviceaddresses import NEEDS_IP, is_external, may_have_node_ports, needs_health_port
from kube.kinds.core.servicefamilies import check_addresses, is_headless
from kube.objects import Json
from kube.registry import Settings
from kube.validation import (
    check,
    check_choice,
    check_kept,
    check_labels,
    check_required,
    dns1123_label,
    dns1123_subdomain,
    port_number,
    port_number_or_name,
    qualified_name,
    repeats,
)

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_DAY = 86400
_ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"
_NOT_EXTERNAL = "may not be set for ExternalName services"
_ONCE = "may not change once set"
_HINTS, _MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"


def check_service(obj: Json, before: Json, settings: Settings) -> list[FieldError]:
    """All rules; `before` is the spec that the Service had, empty for a new one."""
    spec, annotations = obj["spec"], obj["metadata"].get("annotations") or {}
    errors: list[FieldError] = []
    if _HINTS in annotations and annotations.get(_MODE, annotations[_HINTS]) != annotations[_HINTS]:
        message = f"must match annotations[{_HINTS}] when both are specified"
        errors.append(invalid(f"metadata.annotations[{_MODE}]", annotations[_MODE], message))
    errors += _check_by_type(spec) + _check_ports(spec)
    errors += check_labels("spec.selector", spec.get("selector"))
    errors += _check_affinity(spec) + check_addresses(spec, before)
    old = before.get("externalIPs") or []
    for i, address in enumerate(spec.get("externalIPs") or ()):
        path = f"spec.externalIPs[{i}]"
        errors += ([] if address in old else check(path, address, ip_address)) or check_reachable(
            path, address, settings
        )
    errors += check_choice("spec.type", spec["type"], TYPES)
    errors += _check_repeated_ports(spec) + _check_load_balancer_fields(spec, before, annotations)
    return errors + _check_traffic(spec)


def _check_by_type(spec: Json) -> list[FieldError]:
    kind, headless = spec["type"], is_headless(spec)
    errors: list[FieldError] = []
    if not spec.get("ports") and not headless and kind != "ExternalName":
        errors.append(required("spec.ports"))
    if headless and may_have_node_ports(spec):
        errors.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind != "ExternalName":
        return errors
    errors += [
        forbidden(f"spec.{name}", _NOT_EXTERNAL)
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
        if spec.get(name) or spec.get(name) == ""
    ]
    target = (spec.get("externalName") or "").removesuffix(".")
    return errors + check_required("spec.externalName", target, dns1123_subdomain)


def _check_ports(spec: Json) -> list[FieldError]:
    ports = spec.get("ports") or []
    errors: list[FieldError] = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        path = f"spec.ports[{i}]"
        name, number, target = port.get("name", ""), port.get("port", 0), port.get("targetPort", 0)
        if name or len(ports) > 1:
            errors += check_required(f"{path}.name", name, dns1123_label)
        if name and name in names:
            errors.append(duplicate(f"{path}.name", name))
        names.add(name)
        errors += [invalid(f"{path}.port", number, m) for m in port_number(number)]
        errors += check_choice(f"{path}.protocol", port.get("protocol", ""), _PROTOCOLS)
        errors += [invalid(f"{path}.targetPort", target, m) for m in port_number_or_name(target)]
        if (application := port.get("appProtocol")) is not None:
            errors += check(f"{path}.appProtocol", application, qualified_name)
    return errors


def _check_affinity(spec: Json) -> list[FieldError]:
    affinity, path = spec["sessionAffinity"], "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
    errors = check_choice("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    if affinity != "ClientIP":
        return errors
    seconds = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds", 0)
    if not 0 < seconds <= _DAY:
        errors.append(invalid(path, seconds, f"must be greater than 0 and less than {_DAY}"))
    return errors


def _check_repeated_ports(spec: Json) -> list[FieldError]:
    """Node ports belong to types that have them; no port and no node port stands twice with one protocol."""
    ports = spec.get("ports") or []
    errors: list[FieldError] = []
    on_nodes = [(i, port) for i, port in enumerate(ports) if port.get("nodePort")]
    if spec["type"] == "ClusterIP":
        for i, _ in on_nodes:
            errors.append(forbidden(f"spec.ports[{i}].nodePort", "may not be used when `type` is 'ClusterIP'"))
    for place in repeats([(port.get("protocol"), port["nodePort"]) for _, port in on_nodes]):
        i, port = on_nodes[place]
        errors.append(duplicate(f"spec.ports[{i}].nodePort", port["nodePort"]))
    keys = [{"protocol": port.get("protocol"), "port": port.get("port")} for port in ports]
    again = repeats([tuple(key.values()) for key in keys])
    return errors + [duplicate(f"spec.ports[{i}]", keys[i]) for i in again]


def _check_load_balancer_fields(spec: Json, before: Json, annotations: Json) -> list[FieldError]:
    balanced = spec["type"] == "LoadBalancer"
    errors = _check_source_ranges(spec, before, annotations)
    allocate, name = spec.get("allocateLoadBalancerNodePorts"), spec.get("loadBalancerClass")
    if allocate is not None and not balanced:
        errors.append(forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_LOAD_BALANCER))
    if name is not None and balanced:
        errors += check("spec.loadBalancerClass", name, qualified_name)
    elif name is not None:
        errors.append(forbidden("spec.loadBalancerClass", _ONLY_LOAD_BALANCER))
    return errors


def _check_source_ranges(spec: Json, before: Json, annotations: Json) -> list[FieldError]:
    """The sources that may use a load balancer, in their field, or else in an annotation."""
    # Kubernetes writes this path with a capital letter.
    path, ranges = "spec.LoadBalancerSourceRanges", spec.get("loadBalancerSourceRanges") or []
    if not ranges and _SOURCE_RANGES in annotations:
        path, ranges = f"metadata.annotations[{_SOURCE_RANGES}]", annotations[_SOURCE_RANGES].split(",")
        wrong = [e for text in ranges if text.strip() for e in check(path, text.strip(), cidr)]
    else:
        old = [text.strip() for text in before.get("loadBalancerSourceRanges") or ()]
        wrong = check_kept(path, [text.strip() for text in ranges], old, cidr)
    elsewhere = ranges and spec["type"] != "LoadBalancer"
    return ([forbidden(path, _ONLY_LOAD_BALANCER)] if elsewhere else []) + wrong


def _check_traffic(spec: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    if is_external(spec):
        errors += check_choice("spec.externalTrafficPolicy", external, ("Cluster", "Local"))
    elif external:
        message = "may only be set for externally-accessible services"
        errors.append(invalid("spec.externalTrafficPolicy", external, message))
    port = spec.get("healthCheckNodePort") or 0
    if needs_health_port(spec):
        errors += [invalid("spec.healthCheckNodePort", port, m) for m in port_number(port)]
    elif port:
        message = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(invalid("spec.healthCheckNodePort", port, message))
    if internal is not None:
        errors += check_choice("spec.internalTrafficPolicy", internal, ("Cluster", "Local"))
    elif spec["type"] in NEEDS_IP:
        errors.append(required("spec.internalTrafficPolicy"))
    if (distribution := spec.get("trafficDistribution")) is not None:
        errors += check_choice("spec.trafficDistribution", distribution, DISTRIBUTIONS)
    return errors


def check_change(new: Json, old: Json) -> list[FieldError]:
    """Addresses and families, a load balancer's class and a health check port stay while the type needs them."""
    errors: list[FieldError] = []
    if "ExternalName" not in (new["type"], old.get("type")):
        errors += _check_addresses_kept(new, old)
    name, port = "loadBalancerClass", "healthCheckNodePort"
    if new["type"] == old.get("type") == "LoadBalancer" and new.get(name) != old.get(name):
        errors.append(invalid(f"spec.{name}", new.get(name), _ONCE))
    if needs_health_port(new) and needs_health_port(old) and new.get(port) != old.get(port):
        errors.append(forbidden(f"spec.{port}", "field is immutable"))
    return errors


def _check_addresses_kept(new: Json, old: Json) -> list[FieldError]:
    """The first entries stay; a second one comes and goes with the policy, where there are two families."""
    if is_headless(new) and is_headless(old):
        return []
    now, before = new.get("clusterIPs") or [], old.get("clusterIPs") or []
    compared = len(before) if len(now) == len(before) else 1
    errors = [
        invalid(f"spec.clusterIPs[{i}]", now, _ONCE)
        for i, (address, was) in enumerate(zip(now, before, strict=False))
        if i < compared and address != was
    ]
    if before and not now:
        errors.append(invalid("spec.clusterIPs[0]", now, "primary clusterIP can not be unset"))
    if is_headless(new) != is_headless(old):
        return errors
    families, had = new.get("ipFamilies") or [], old.get("ipFamilies") or []
    if families[:1] != had[:1] and families and had:
        errors.append(invalid("spec.ipFamilies[0]", families, _ONCE))
    return errors


def warnings(obj: Json) -> list[str]:
    """What clients are told of a Service that is accepted."""
    spec, annotations = obj["spec"], obj["metadata"].get("annotations") or {}
    external, kind, found = spec.get("externalIPs") or [], spec["type"], []
    if _HINTS in annotations:
        found.append(f"annotation {_HINTS} is deprecated, please use {_MODE} instead")
    if not is_headless(spec):
        for i, address in enumerate(spec.get("clusterIPs") or ()):
            found += ip_warnings(f"spec.clusterIPs[{i}]", address)
    else:
        found += [
            f"spec.{name} is ignored for headless services"
            for name, given in (
                ("loadBalancerIP", spec.get("loadBalancerIP")),
                ("externalIPs", external),
                ("SessionAffinity", spec["sessionAffinity"] != "None"),
            )
            if given
        ]
    found += [w for i, address in enumerate(external) for w in ip_warnings(f"spec.externalIPs[{i}]", address)]
    if external and not is_headless(spec) and kind != "ExternalName":
        found.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if spec.get("loadBalancerIP"):
        found += ip_warnings("spec.loadBalancerIP", spec["loadBalancerIP"])
    for i, text in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        found += cidr_warnings(f"spec.loadBalancerSourceRanges[{i}]", text.strip())
    if external and kind == "ExternalName":
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if spec.get("externalName") and kind != "ExternalName":
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return found


def check_load_balancer(status: Json, before: Json, spec: Json) -> list[FieldError]:
    """`status.loadBalancer`: only for a LoadBalancer, with addresses or names."""
    path, ingress = "status.loadBalancer.ingress", status.get("ingress") or []
    if not ingress:
        return []
    if spec.get("type") != "LoadBalancer":
        return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    errors: list[FieldError] = []
    known = {item.get("ip") for item in before.get("ingress") or ()}
    for i, item in enumerate(ingress):
        if ip := item.get("ip"):
            errors += [] if ip in known else check(f"{path}[{i}].ip", ip, ip_address)
            errors += check_choice(f"{path}[{i}].ipMode", item.get("ipMode", ""), ("Proxy", "VIP"))
        elif item.get("ipMode") is not None:
            errors.append(forbidden(f"{path}[{i}].ipMode", "may not be specified when `ip` is not set"))
        if host := item.get("hostname"):
            errors += check(f"{path}[{i}].hostname", host, dns1123_subdomain)
            if ip_of(host):
                errors.append(invalid(f"{path}[{i}].hostname", host, "must be a DNS name, not an IP address"))
    return errors
