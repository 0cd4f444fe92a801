"""Which addons there are: one folder each, all of one shape.

    addons/<name>/addon.yaml     title, description, version, enabled (by default), options with default and help
    addons/<name>/README.md      its man page
    addons/<name>/manifests/     what is applied to kube-system; `${option}` is replaced by the option's value

Besides its options a manifest may use the facts of the installation: `${port}`, `${api_port}`, `${node_address}`,
`${service_cidr}`, `${pod_cidr}`, `${dns_address}`, `${dns_port}`, `${cluster_domain}`,
`${state_folder}`.
"""

from __future__ import annotations

import os
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parent
NAMESPACE = "kube-system"
ADDON_LABEL = "addons.binnacle/name"          # on every object that belongs to an addon
MODE_LABEL = "addonmanager.kubernetes.io/mode"  # Reconcile: kept as in the manifest; EnsureExists: only created
RECONCILE, ENSURE_EXISTS = "Reconcile", "EnsureExists"


class AddonError(ValueError):
    """An addon's folder is not as it should be; the message names file and field."""


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of an addon."""

    name: str
    default: str
    help: str


@dataclass(frozen=True, slots=True)
class Addon:
    """One addon, as its folder describes it."""

    name: str
    title: str
    description: str
    version: str
    enabled: bool
    options: tuple[Option, ...] = ()
    documents: tuple[str, ...] = field(default=(), repr=False)

    @property
    def config_name(self) -> str:
        """The ConfigMap in kube-system that switches and configures the addon."""
        return f"addon-{self.name}"

    def objects(self, values: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The addon's objects with these option values, each labelled with the addon's name."""
        facts = {**{option.name: option.default for option in self.options}, **values, **installation_facts()}
        for document in self.documents:
            for obj in yaml.load_all(string.Template(document).substitute(facts), Loader=_loader()):
                if obj:
                    yield self._labelled(obj)

    def _labelled(self, obj: dict[str, Any]) -> dict[str, Any]:
        labels = obj.setdefault("metadata", {}).setdefault("labels", {})
        labels[ADDON_LABEL] = self.name
        if labels.setdefault(MODE_LABEL, RECONCILE) not in (RECONCILE, ENSURE_EXISTS):
            raise AddonError(f"addon {self.name}: {obj.get('kind')} {obj['metadata'].get('name')}: label {MODE_LABEL} "
                             f"is {labels[MODE_LABEL]!r}; it may be {RECONCILE} or {ENSURE_EXISTS}")
        return obj


def installation_facts() -> dict[str, str]:
    """What manifests may use besides options."""
    from cluster.registry import Settings

    settings = Settings.from_environment()
    network = settings.service_cidr.split("/")[0].rsplit(".", 1)[0]
    return {"port": os.environ.get("BINNACLE_PORT", "8080"), "api_port": os.environ.get("BINNACLE_API_PORT", "6443"),
            "node_address": os.environ.get("BINNACLE_NODE_ADDRESS", "127.0.0.1"),
            "service_cidr": settings.service_cidr, "pod_cidr": settings.pod_cidr,
            "dns_address": f"{network}.10", "dns_port": str(dns_port()), "cluster_domain": settings.cluster_domain,
            "state_folder": os.path.abspath(os.environ.get("BINNACLE_VAR", "var"))}


def dns_port() -> int:
    """The port of the cluster's DNS server: 53, and 10053 where this user may not listen on low ports."""
    if os.geteuid() == 0:
        return 53
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except OSError:
        first = 1024  # a kernel without the setting
    return 53 if first <= 53 else 10053


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def catalogue(folder: Path = FOLDER) -> dict[str, Addon]:
    """Every addon by name. Raises AddonError when a folder is not as it should be."""
    return {path.parent.name: _read(path) for path in sorted(folder.glob("*/addon.yaml"))}


def _read(path: Path) -> Addon:
    about = yaml.load(path.read_text(), Loader=_loader())
    missing = [name for name in ("title", "description", "version", "enabled") if name not in (about or {})]
    if missing:
        raise AddonError(f"{path}: {', '.join(missing)} missing")
    options = tuple(Option(name, str(entry["default"]), entry["help"])
                    for name, entry in (about.get("options") or {}).items())
    documents = tuple(file.read_text() for file in sorted((path.parent / "manifests").glob("*.yaml")))
    return Addon(path.parent.name, about["title"], about["description"].strip(), str(about["version"]), about["enabled"],
                 options, documents)
