"""The variables by which a pod finds services: `{NAME}_SERVICE_HOST` and the older `{NAME}_PORT_80_TCP_ADDR` forms."""

from __future__ import annotations

from collections.abc import Iterable

from kube.objects import Json

MASTER = ("default", "kubernetes")


def environment(services: Iterable[Json], namespace: str, links: bool) -> dict[str, str]:
    """For a pod in `namespace`; without `links` only the API's own service is named."""
    chosen: dict[str, Json] = {}
    for service in services:
        metadata = service["metadata"]
        if (service["spec"].get("clusterIP") or "None") == "None":
            continue
        if metadata["namespace"] == namespace and (links or (namespace, metadata["name"]) == MASTER):
            chosen[metadata["name"]] = service
        elif (metadata["namespace"], metadata["name"]) == MASTER:
            chosen.setdefault(metadata["name"], service)
    result: dict[str, str] = {}
    for name in sorted(chosen):
        result.update(_variables(chosen[name]))
    return result


def _variables(service: Json) -> dict[str, str]:
    name = service["metadata"]["name"].replace("-", "_").upper()
    host, ports = service["spec"]["clusterIP"], service["spec"].get("ports") or []
    if not ports:
        return {f"{name}_SERVICE_HOST": host}
    result = {f"{name}_SERVICE_HOST": host, f"{name}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            result[f"{name}_SERVICE_PORT_{port['name'].replace('-', '_').upper()}"] = str(port["port"])
    bracketed = f"[{host}]" if ":" in host else host
    for index, port in enumerate(ports):
        protocol = port.get("protocol") or "TCP"
        url = f"{protocol.lower()}://{bracketed}:{port['port']}"
        prefix = f"{name}_PORT_{port['port']}_{protocol.upper()}"
        if index == 0:
            result[f"{name}_PORT"] = url
        result.update(
            {
                prefix: url,
                f"{prefix}_PROTO": protocol.lower(),
                f"{prefix}_PORT": str(port["port"]),
                f"{prefix}_ADDR": host,
            }
        )
    return result
