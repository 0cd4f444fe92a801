"""Ingress."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, invalid, required
from kube.ipaddresses import ip_of
from kube.kinds.rbac import path_segment
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import (
    check,
    check_choice,
    check_required,
    dns1123_label,
    dns1123_subdomain,
    port_name,
    port_number,
)

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
BAD_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
BAD_ENDINGS = ("/..", "/.")


class IngressStrategy(ObjectStrategy):
    status = True
    generation = True

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors = super().validate(obj, ctx)
        if CLASS_ANNOTATION in (obj["metadata"].get("annotations") or {}) and (
            obj["spec"].get("ingressClassName") is not None
        ):
            errors.append(
                invalid(
                    "annotations.kubernetes.io/ingress.class",
                    obj["metadata"]["annotations"][CLASS_ANNOTATION],
                    "can not be set when the class field is also set",
                )
            )
        return errors

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        noted = old is None and CLASS_ANNOTATION in (obj["metadata"].get("annotations") or {})
        if not noted or obj["spec"].get("ingressClassName") is not None:
            return []
        return [f"annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]

    def default(self, obj: Json) -> None:
        obj.setdefault("spec", {})

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        backend, rules = spec.get("defaultBackend"), spec.get("rules") or []
        errors: list[FieldError] = []
        if not rules and backend is None:
            errors.append(invalid("spec", rules, "either `defaultBackend` or `rules` must be specified"))
        if backend is not None:
            errors += check_backend(backend, "spec.defaultBackend")
        for i, rule in enumerate(rules):
            path = f"spec.rules[{i}]"
            if host := rule.get("host"):
                if ip_of(host):
                    errors.append(invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
                errors += check_host(f"{path}.host", host)
            if (http := rule.get("http")) is not None:
                if not http.get("paths"):
                    errors.append(required(f"{path}.http.paths"))
                for j, item in enumerate(http.get("paths") or ()):
                    errors += _check_path(item, f"{path}.http.paths[{j}]")
        for i, tls in enumerate(spec.get("tls") or ()):
            path = f"spec.tls[{i}]"
            for j, host in enumerate(tls.get("hosts") or ()):
                errors += check_host(f"{path}.hosts[{j}]", host)
            if tls.get("secretName"):
                errors += check(f"{path}.secretName", tls["secretName"], dns1123_subdomain)
        if spec.get("ingressClassName") is not None:
            errors += check("spec.ingressClassName", spec["ingressClassName"], dns1123_subdomain)
        return errors

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        path = "status.loadBalancer.ingress"
        errors: list[FieldError] = []
        for i, ingress in enumerate(((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()):
            ip, hostname = ingress.get("ip"), ingress.get("hostname")
            if ip and ip_of(ip) is None:
                errors.append(invalid(f"{path}[{i}].ip", ip, "must be a valid IP address"))
            if hostname:
                errors += check(f"{path}[{i}].hostname", hostname, dns1123_subdomain)
                if ip_of(hostname):
                    errors.append(invalid(f"{path}[{i}].hostname", hostname, "must be a DNS name, not an IP address"))
        return errors


def check_host(path: str, host: str) -> list[FieldError]:
    """A host name; its first label may be `*`."""
    return check(path, host[2:] if host.startswith("*.") else host, dns1123_subdomain)


def _check_path(item: Json, path: str) -> list[FieldError]:
    kind, text = item.get("pathType"), item.get("path") or ""
    if kind is None:
        return [required(f"{path}.pathType", "pathType must be specified")]
    errors = check_choice(f"{path}.pathType", kind, PATH_TYPES)
    if kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            errors.append(invalid(f"{path}.path", text, "must be an absolute path"))
        elif text:
            errors += [
                invalid(f"{path}.path", text, f"must not contain '{bad}'") for bad in BAD_SEQUENCES if bad in text
            ]
            errors += [
                invalid(f"{path}.path", text, f"cannot end with '{bad}'") for bad in BAD_ENDINGS if text.endswith(bad)
            ]
    elif text and not text.startswith("/"):
        errors.append(invalid(f"{path}.path", text, "must be an absolute path"))
    return errors + check_backend(item.get("backend") or {}, f"{path}.backend")


def check_backend(backend: Json, path: str) -> list[FieldError]:
    """Exactly one of a service port and a reference to another resource."""
    service, resource = backend.get("service"), backend.get("resource")
    if resource is not None and service is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        at = f"{path}.resource"
        errors = (
            [] if resource.get("apiGroup") is None else check(f"{at}.apiGroup", resource["apiGroup"], dns1123_subdomain)
        )
        for name in ("kind", "name"):
            errors += check_required(f"{at}.{name}", resource.get(name), path_segment)
        return errors
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    name, port = service.get("name") or "", service.get("port") or {}
    errors = check_required(f"{path}.service.name", name, dns1123_label)
    number, text = port.get("number") or 0, port.get("name") or ""
    if number and text:
        errors.append(invalid(path, "", "cannot set both port name & port number"))
    elif text:
        errors += check(f"{path}.service.port.name", text, port_name)
    elif not number:
        errors.append(required(path, "port name or number is required"))
    else:
        errors += [invalid(f"{path}.service.port.number", number, m) for m in port_number(number)]
    return errors


def cells(obj: Json, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    name = spec.get("ingressClassName") or (obj["metadata"].get("annotations") or {}).get(CLASS_ANNOTATION)
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    addresses = [
        i.get("ip") or i.get("hostname") or ""
        for i in ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    ]
    return [
        obj["metadata"]["name"],
        name or c.NONE,
        c.first_of(hosts, 3) if hosts else "*",
        ",".join(addresses),
        "80, 443" if spec.get("tls") else "80",
        c.age(obj, now),
    ]


KIND = Kind(
    "networking.k8s.io",
    "v1",
    "Ingress",
    "ingresses",
    short_names=("ing",),
    subresources=("status",),
    strategy=IngressStrategy(),
    definition="io.k8s.api.networking.v1.Ingress",
    cells=cells,
    columns=(
        c.NAME,
        c.column("Class", description="The name of the IngressClass resource that should be used."),
        c.column("Hosts", description="Hosts that incoming requests are matched against before the ingress rule."),
        c.column("Address", description="Addresses of the load balancer that serves this ingress."),
        c.column("Ports", description="Ports of the load balancer: 80, and 443 with TLS."),
        c.AGE,
    ),
)
