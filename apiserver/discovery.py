"""Discovery: which groups, versions and resources there are; in the older form and aggregated.

Made from the registry, and made again only when its kinds changed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from apiserver import negotiation, response
from apiserver.remotes import CUSTOM_PRIORITY, Remote
from apiserver.request import Request
from apiserver.resourcemetrics import kinds as resourcemetrics
from apiserver.response import Answer, Response
from kube import schema
from kube.errors import ApiError
from kube.objects import Json
from kube.registry import Kind, version_rank

if TYPE_CHECKING:
    from apiserver.state import State


# The order in which kube-apiserver lists its groups; groups of custom resources follow by name.
GROUP_ORDER = (
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    resourcemetrics.GROUP,
)

_READ_WRITE = ("get", "patch", "update")
_PROXY = ("create", "delete", "get", "patch", "update")
# Subresources that are not a view of their object: kind, its group and version if not the parent's, verbs.
_SPECIAL: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "pods/attach": ("PodAttachOptions", "", "", ("create", "get")),
    "pods/binding": ("Binding", "", "", ("create",)),
    "pods/eviction": ("Eviction", "policy", "v1", ("create",)),
    "pods/exec": ("PodExecOptions", "", "", ("create", "get")),
    "pods/log": ("Pod", "", "", ("get",)),
    "pods/portforward": ("PodPortForwardOptions", "", "", ("create", "get")),
    "pods/proxy": ("PodProxyOptions", "", "", _PROXY),
    "services/proxy": ("ServiceProxyOptions", "", "", _PROXY),
    "nodes/proxy": ("NodeProxyOptions", "", "", _PROXY),
    "namespaces/finalize": ("Namespace", "", "", ("update",)),
    "serviceaccounts/token": ("TokenRequest", "authentication.k8s.io", "v1", ("create",)),
}


def subresource(kind: Kind, name: str) -> tuple[str, str, str, tuple[str, ...]]:
    """(kind, group, version, verbs) of a subresource; group and version are empty where they are the parent's."""
    if name == "scale":
        return "Scale", "autoscaling", "v1", _READ_WRITE
    return _SPECIAL.get(f"{kind.plural}/{name}", (kind.kind, "", "", _READ_WRITE))


class Catalogue:
    """Everything discovery says about these kinds, and about what API servers beside this one serve."""

    def __init__(self, kinds: Iterable[Kind], remotes: Iterable[Remote] = ()) -> None:
        self.versions: dict[str, list[str]] = {}
        self.remotes = {(remote.group, remote.version): remote for remote in remotes}
        self.resources: dict[tuple[str, str], list[Kind]] = {}
        for resource in kinds:
            place = (resource.group, resource.version)
            if place not in self.resources:
                self.resources[place] = []
                self.versions.setdefault(resource.group, []).append(resource.version)
                self.versions[resource.group].sort(key=version_rank)
            self.resources[place].append(resource)
        for found in self.resources.values():
            found.sort(key=lambda resource: resource.plural)
        self.priorities: dict[str, int] = {}
        for (group, version), remote in self.remotes.items():
            versions = self.versions.setdefault(group, [])
            versions += [version] if version not in versions else []
            versions.sort(key=version_rank)
            self.priorities[group] = max(remote.priority, self.priorities.get(group, 0))

    def groups(self) -> list[str]:
        """All groups but the core one, in the order in which they are listed."""
        known = {name: i for i, name in enumerate(GROUP_ORDER)}
        return sorted(
            (group for group in self.versions if group),
            key=lambda group: (known.get(group, len(known)), -self.priorities.get(group, CUSTOM_PRIORITY), group),
        )

    def described(self, group: str, version: str) -> Json:
        """One version of a group, as aggregated discovery shows it."""
        remote = self.remotes.get((group, version))
        if remote is None:
            resources, current = [_described(resource) for resource in self.resources[group, version]], True
        else:
            resources, current = of_list(remote), remote.known.current
        return {"version": version, "resources": resources, "freshness": "Current" if current else "Stale"}


_catalogues: dict[int, tuple[tuple[int, ...], Catalogue]] = {}


def of_list(remote: Remote) -> list[Json]:
    """The APIResourceList of another server, in the form of aggregated discovery."""
    found: dict[str, Json] = {}
    for item in remote.known.resources:
        name, _, part = str(item.get("name", "")).partition("/")
        kind = {"group": item.get("group", ""), "version": item.get("version", ""), "kind": item.get("kind", "")}
        if part:
            shown = {"subresource": part, "responseKind": kind, "verbs": item.get("verbs") or []}
            found.get(name, {}).setdefault("subresources", []).append(shown)
            continue
        found[name] = {
            "resource": name,
            "responseKind": {
                **kind,
                "group": kind["group"] or remote.group,
                "version": kind["version"] or remote.version,
            },
            "scope": "Namespaced" if item.get("namespaced") else "Cluster",
            "singularResource": item.get("singularName", ""),
            "verbs": item.get("verbs") or [],
            **{key: item[key] for key in ("shortNames", "categories") if item.get(key)},
        }
    return list(found.values())


def catalogue(state: State) -> Catalogue:
    """The catalogue of a cluster, made when its kinds changed."""
    registry = state.registry
    kinds = (*registry.all(), *(resourcemetrics.KINDS if resourcemetrics.served(state.cache) else ()))
    stamp = (state.remotes.generation, *map(id, kinds))
    known = _catalogues.get(id(registry))
    if known is None or known[0] != stamp:
        known = _catalogues[id(registry)] = (stamp, Catalogue(kinds, state.remotes.all()))
    return known[1]


async def api(request: Request) -> Answer:
    """/api: the versions of the core group."""
    if negotiation.discovery_version(request.header(b"accept")):
        return _aggregated(catalogue(request.state), [""])
    address = f"127.0.0.1:{request.state.port}"
    return response.json_response(
        {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
        }
    )


async def apis(request: Request) -> Answer:
    """/apis: all other groups."""
    known = catalogue(request.state)
    if negotiation.discovery_version(request.header(b"accept")):
        return _aggregated(known, known.groups())
    groups = [_group(known, name) for name in known.groups()]
    return response.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})


async def below_api(request: Request, path: list[str]) -> Answer:
    """/api/VERSION."""
    return _resource_list(catalogue(request.state), "", path[0])


async def below_apis(request: Request, path: list[str]) -> Answer:
    """/apis/GROUP and /apis/GROUP/VERSION."""
    known = catalogue(request.state)
    if path[0] not in known.versions:
        return response.page_not_found()
    if len(path) == 1:
        return response.json_response({"kind": "APIGroup", "apiVersion": "v1", **_group(known, path[0])})
    return _resource_list(known, path[0], path[1])


def _group(known: Catalogue, name: str) -> Json:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in known.versions[name]]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resource_list(known: Catalogue, group: str, version: str) -> Response:
    found = known.resources.get((group, version))
    if found is None:
        raise ApiError("the server could not find the requested resource", code=404, reason="NotFound")
    head: Json = {"kind": "APIResourceList"}
    if group:
        head["apiVersion"] = "v1"
    head["groupVersion"] = f"{group}/{version}" if group else version
    return response.json_response({**head, "resources": [item for resource in found for item in _resources(resource)]})


def _resources(resource: Kind) -> Iterable[Json]:
    item: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        item["shortNames"] = list(resource.short_names)
    if resource.categories:
        item["categories"] = list(resource.categories)
    if "delete" in resource.verbs:  # what is only asked and answered has no stored version
        stored = hashlib.sha256(f"{resource.storage}/{resource.version}/{resource.kind}".encode()).digest()
        item["storageVersionHash"] = base64.b64encode(stored[:8]).decode()  # changes with the stored version
    yield item
    custom = schema.is_custom(resource.definition)
    for name in resource.subresources if custom else sorted(resource.subresources):
        kind, group, version, verbs = subresource(resource, name)
        extra = {"group": group, "version": version} if group else {}
        yield {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            **extra,
            "kind": kind,
            "verbs": list(verbs),
        }


def _aggregated(known: Catalogue, groups: Iterable[str]) -> Response:
    items = [
        {
            "metadata": {"name": group} if group else {},
            "versions": [known.described(group, version) for version in known.versions[group]],
        }
        for group in groups
    ]
    made = response.json_response(
        {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}
    )
    made.content_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    return made


def _described(resource: Kind) -> Json:
    item: Json = {
        "resource": resource.plural,
        "responseKind": {"group": "", "version": "", "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        item["shortNames"] = list(resource.short_names)
    if resource.categories:
        item["categories"] = list(resource.categories)
    if resource.subresources:
        parts = item["subresources"] = []
        for name in sorted(resource.subresources):
            part, group, version, verbs = subresource(resource, name)
            answered = {"group": group, "version": version, "kind": part}
            parts.append({"subresource": name, "responseKind": answered, "verbs": list(verbs)})
    return item
