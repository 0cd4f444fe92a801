"""What a Service may say, and what of it may change."""

from __future__ import annotations

from kube.errors import FieldError, duplicate, forbidden, invalid, required
from kube.kinds.core.endpoints import check_reachable
from kube.kinds.core.serviceaddresses import (
    NEEDS_IP,
    family,
    is_external,
    is_headless,
    may_have_node_ports,
    needs_health_port,
)
from kube.objects import Json
from kube.registry import Context
from kube.validation import (
    check,
    check_choice,
    check_labels,
    cidr,
    dns1123_label,
    dns1123_subdomain,
    ip_address,
    ip_of,
    port_number,
    port_number_or_name,
    qualified_name,
)

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_FAMILIES = ("IPv4", "IPv6")
_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_DAY = 86400
_ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"
_ONCE = "may not change once set"


def check_service(obj: Json, ctx: Context) -> list[FieldError]:
    """All rules except those that need the ranges of addresses and ports."""
    spec = obj["spec"]
    errors = _check_ports(spec)
    if selector := spec.get("selector"):
        errors += check_labels("spec.selector", selector)
    affinity = spec["sessionAffinity"]
    errors += check_choice("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    if affinity == "ClientIP":
        seconds = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds", 0)
        if not 0 < seconds <= _DAY:
            errors.append(
                invalid(
                    "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
                    seconds,
                    f"must be greater than 0 and less than {_DAY}",
                )
            )
    errors += check_choice("spec.type", spec["type"], TYPES)
    if spec["type"] == "ExternalName":
        errors += _check_external_name(spec)
    else:
        errors += _check_families(spec, ctx) or _check_cluster_ips(spec)
    for i, address in enumerate(spec.get("externalIPs") or ()):
        path = f"spec.externalIPs[{i}]"
        errors += check(path, address, ip_address) or check_reachable(path, address, ctx.settings)
    return errors + _check_load_balancer_fields(spec) + _check_traffic(spec)


def _check_ports(spec: Json) -> list[FieldError]:
    ports = spec.get("ports") or []
    errors: list[FieldError] = []
    if not ports and not is_headless(spec) and spec["type"] != "ExternalName":
        errors.append(required("spec.ports"))
    names: set[str] = set()
    seen: set[tuple[object, object]] = set()
    for i, port in enumerate(ports):
        path = f"spec.ports[{i}]"
        name, number, target = port.get("name", ""), port.get("port", 0), port.get("targetPort", 0)
        if name:
            errors += check(f"{path}.name", name, dns1123_label)
            if name in names:
                errors.append(duplicate(f"{path}.name", name))
            names.add(name)
        elif len(ports) > 1:
            errors.append(required(f"{path}.name"))
        errors += [invalid(f"{path}.port", number, m) for m in port_number(number)]
        errors += check_choice(f"{path}.protocol", port.get("protocol", ""), _PROTOCOLS)
        errors += [invalid(f"{path}.targetPort", target, m) for m in port_number_or_name(target)]
        if application := port.get("appProtocol"):
            errors += check(f"{path}.appProtocol", application, qualified_name)
        if (key := (port.get("protocol"), port.get("port"))) in seen:
            errors.append(duplicate(path, {"protocol": key[0], "port": key[1]}))
        seen.add(key)
        if port.get("nodePort") and not may_have_node_ports(spec):
            errors.append(forbidden(f"{path}.nodePort", f"may not be used when `type` is '{spec['type']}'"))
    return errors


def _check_external_name(spec: Json) -> list[FieldError]:
    errors = [
        forbidden(f"spec.{name}", "may not be set for ExternalName services")
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
        if spec.get(name)
    ]
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        errors.append(forbidden("spec.clusterIPs", "may not be set for ExternalName services"))
    name = spec.get("externalName", "")
    if not name:
        return [*errors, required("spec.externalName")]
    return errors + check("spec.externalName", name.removesuffix("."), dns1123_subdomain)


def _check_families(spec: Json, ctx: Context) -> list[FieldError]:
    families, policy = spec.get("ipFamilies") or [], spec.get("ipFamilyPolicy", "")
    unselected = is_headless(spec) and not spec.get("selector")
    own, addresses = family(ctx), spec.get("clusterIPs") or []
    errors: list[FieldError] = []
    if len(families) > 2:
        errors.append(invalid("spec.ipFamilies", families, "may only hold up to 2 values"))
    for i, name in enumerate(families):
        if name not in _FAMILIES:
            errors += check_choice(f"spec.ipFamilies[{i}]", name, _FAMILIES)
        elif name in families[:i]:
            errors.append(duplicate(f"spec.ipFamilies[{i}]", name))
        elif name != own and not unselected and (i >= len(addresses) or addresses[i] == "None"):
            # Where an address stands beside the family, the address is reported instead.
            errors.append(invalid(f"spec.ipFamilies[{i}]", name, "not configured on this cluster"))
    if policy:  # which a service of an unknown type does not have
        errors += check_choice("spec.ipFamilyPolicy", policy, _POLICIES)
    if policy == "RequireDualStack" and not unselected:
        errors.append(invalid("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services"))
    return errors


def _check_cluster_ips(spec: Json) -> list[FieldError]:
    addresses, first = spec.get("clusterIPs") or [], spec.get("clusterIP", "")
    if first and (not addresses or addresses[0] != first):
        return [invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`")]
    if len(addresses) > 2:
        return [invalid("spec.clusterIPs", addresses, "may only hold up to 2 values")]
    errors: list[FieldError] = []
    for i, address in enumerate(addresses):
        path = f"spec.clusterIPs[{i}]"
        if address in ("", "None"):
            if len(addresses) > 1 or not address:
                errors.append(invalid(path, address, "may not be used in combination with other values"))
            elif spec["type"] != "ClusterIP":
                errors.append(invalid(path, address, f"may not be set to 'None' for {spec['type']} services"))
            continue
        wrong = check(path, address, ip_address)
        errors += wrong
        families = spec.get("ipFamilies") or []
        if not wrong and i < len(families) and (parsed := ip_of(address)) and f"IPv{parsed.version}" != families[i]:
            errors.append(invalid(path, address, f"expected an {families[i]} value as indicated by `ipFamilies[{i}]`"))
    return errors


def _check_load_balancer_fields(spec: Json) -> list[FieldError]:
    balanced = spec["type"] == "LoadBalancer"
    errors: list[FieldError] = []
    # Kubernetes writes this path with a capital letter.
    path, ranges = "spec.LoadBalancerSourceRanges", spec.get("loadBalancerSourceRanges") or []
    if ranges and not balanced:
        errors.append(forbidden(path, _ONLY_LOAD_BALANCER))
    elif ranges:
        errors += [e for i, text in enumerate(ranges) for e in check(f"{path}[{i}]", text.strip(), cidr)]
    allocate, name = spec.get("allocateLoadBalancerNodePorts"), spec.get("loadBalancerClass")
    if allocate is not None and not balanced:
        errors.append(forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_LOAD_BALANCER))
    elif allocate is None and balanced:
        errors.append(required("spec.allocateLoadBalancerNodePorts"))
    if name is not None:
        errors += (
            check("spec.loadBalancerClass", name, qualified_name)
            if balanced
            else [forbidden("spec.loadBalancerClass", _ONLY_LOAD_BALANCER)]
        )
    return errors


def _check_traffic(spec: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    if external and not is_external(spec):
        errors.append(
            invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services")
        )
    elif external:
        errors += check_choice("spec.externalTrafficPolicy", external, ("Cluster", "Local"))
    if internal is not None:
        errors += check_choice("spec.internalTrafficPolicy", internal, ("Cluster", "Local"))
    elif spec["type"] in NEEDS_IP:
        errors.append(required("spec.internalTrafficPolicy"))
    if (port := spec.get("healthCheckNodePort")) and not needs_health_port(spec):
        errors.append(
            invalid(
                "spec.healthCheckNodePort",
                port,
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
            )
        )
    return errors


def check_change(new: Json, old: Json) -> list[FieldError]:
    """A cluster IP, a load balancer's class and a health check port stay while the type needs them."""
    errors: list[FieldError] = []
    if new["type"] in NEEDS_IP and old.get("type") in NEEDS_IP:
        before, now = old.get("clusterIPs") or [], new.get("clusterIPs") or []
        if before and (not now or now[0] != before[0]):
            errors.append(invalid("spec.clusterIPs[0]", now, _ONCE))
    name, port = ("loadBalancerClass", "healthCheckNodePort")
    if new["type"] == old.get("type") == "LoadBalancer" and new.get(name) != old.get(name):
        errors.append(invalid(f"spec.{name}", new.get(name), _ONCE))
    if needs_health_port(new) and needs_health_port(old) and new.get(port) != old.get(port):
        errors.append(forbidden(f"spec.{port}", "field is immutable"))
    return errors


def check_load_balancer(status: Json, spec: Json) -> list[FieldError]:
    """`status.loadBalancer`: only for a LoadBalancer, with addresses or names."""
    path, ingress = "status.loadBalancer.ingress", status.get("ingress") or []
    if not ingress:
        return []
    if spec.get("type") != "LoadBalancer":
        return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    errors: list[FieldError] = []
    for i, item in enumerate(ingress):
        if ip := item.get("ip"):
            errors += check(f"{path}[{i}].ip", ip, ip_address)
            errors += check_choice(f"{path}[{i}].ipMode", item.get("ipMode", ""), ("Proxy", "VIP"))
        elif item.get("ipMode") is not None:
            errors.append(forbidden(f"{path}[{i}].ipMode", "may not be specified when `ip` is not set"))
        if host := item.get("hostname"):
            errors += check(f"{path}[{i}].hostname", host, dns1123_subdomain)
            if ip_of(host):
                errors.append(invalid(f"{path}[{i}].hostname", host, "must be a DNS name, not an IP address"))
    return errors
