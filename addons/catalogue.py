"""Which addons there are: one folder each, all of one shape.

    addons/<name>/addon.yaml     title, description, version, enabled (by default), options (see addons.options);
                                 `when_off`: what whoever switches it off should know
    addons/<name>/README.md      its man page
    addons/<name>/manifests/     what is applied to kube-system; `${option}` is replaced by the option's value

Besides its options a manifest may use the facts of the installation: `${port}`, `${api_port}`, `${node_address}`,
`${service_cidr}`, `${pod_cidr}`, `${dns_address}`, `${dns_port}`, `${cluster_domain}`, `${state_folder}`. A value only
ever fills the scalar it stands in: nothing in it can add to the manifest.

`BINNACLE_ADDONS` names another folder with addons of one's own.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import environment
from addons import options, templating
from addons.options import Option, OptionError

log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")
FOLDER = Path(__file__).resolve().parent
NAMESPACE = "kube-system"
ADDON_LABEL = "addons.binnacle/name"  # on every object that belongs to an addon
MODE_LABEL = "addonmanager.kubernetes.io/mode"  # Reconcile: kept as in the manifest; EnsureExists: only created
RECONCILE, ENSURE_EXISTS = "Reconcile", "EnsureExists"
DEADLINE = Option(
    "rollout_deadline",
    "120",
    "Seconds that a change may take to become healthy; then the configuration before it is put "
    "back. Time in which the node is not ready does not count.",
    "integer",
    min=5,
    max=3600,
)


class AddonError(ValueError):
    """An addon's folder is not as it should be; the message names file and field."""


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
    when_off: str = ""

    @property
    def settings(self) -> tuple[Option, ...]:
        """Its options and those that every addon has: the keys of its ConfigMap."""
        enabled = Option("enabled", str(self.enabled).lower(), "Whether the addon runs.", "boolean")
        return (enabled, *self.options, DEADLINE)

    @property
    def defaults(self) -> dict[str, str]:
        return {option.name: option.default for option in self.settings}

    @property
    def config_name(self) -> str:
        """The ConfigMap in kube-system that switches and configures the addon."""
        return f"addon-{self.name}"

    def objects(self, values: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The addon's objects with these option values, each labelled with the addon's name."""
        facts = {**self.defaults, **values, **installation_facts()}
        structured = {option.name for option in self.options if option.type in ("json", "addresses", "domains")}
        for document in self.documents:
            try:
                for obj in templating.objects(document, facts, structured):
                    labels = obj.setdefault("metadata", {}).setdefault("labels", {})
                    labels[ADDON_LABEL] = self.name
                    mode = labels.setdefault(MODE_LABEL, RECONCILE)
                    if mode not in (RECONCILE, ENSURE_EXISTS):
                        raise AddonError(
                            f"addon {self.name}: {obj.get('kind')} {obj['metadata'].get('name')}: label {MODE_LABEL} "
                            f"is {mode!r}; it may be {RECONCILE} or {ENSURE_EXISTS}"
                        )
                    yield obj
            except templating.TemplateError as error:
                raise AddonError(f"addon {self.name}: {error}") from error


def installation_facts() -> dict[str, str]:
    """What manifests may use besides options."""
    from cluster.settings import from_environment

    settings = from_environment()
    network = settings.service_cidr.split("/")[0].rsplit(".", 1)[0]
    return {
        "port": str(environment.DASHBOARD_PORT.get()),
        "api_port": str(environment.API_PORT.get()),
        "node_address": environment.NODE_ADDRESS.get(),
        "service_cidr": settings.service_cidr,
        "pod_cidr": settings.pod_cidr,
        "dns_address": f"{network}.10",
        "dns_port": str(dns_port()),
        "cluster_domain": settings.cluster_domain,
        "state_folder": os.path.abspath(environment.VAR.get()),
    }


def dns_port() -> int:
    """The port of the cluster's DNS server: 53, and 10053 where this user may not listen on low ports."""
    if os.geteuid() == 0:
        return 53
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except OSError:
        first = 1024  # a kernel without the setting
    return 53 if first <= 53 else 10053


@cache
def catalogue(folder: Path | None = None) -> dict[str, Addon]:
    """Every addon by name. Raises AddonError when a folder is not as it should be."""
    found = {path.parent.name: _read(path) for path in _descriptions(folder or FOLDER)}
    own = environment.ADDONS.get()
    for path in _descriptions(own) if own and not folder else ():
        try:
            found.setdefault(path.parent.name, _read(path))
        except AddonError as error:  # one that is not ours must not keep the others from running
            log.error("%s", error)
    return found


def _descriptions(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/addon.yaml"))


def _read(path: Path) -> Addon:
    name = path.parent.name
    if not _NAME.fullmatch(name):
        raise AddonError(f"{path}: the folder's name is not that of an addon: small letters, digits and - may be in it")
    try:
        about = templating.load(path.read_text())
    except templating.TemplateError as error:
        raise AddonError(f"{path}: {error}") from error
    about = about if isinstance(about, dict) else {}
    missing = [key for key in ("title", "description", "version", "enabled") if key not in about]
    if missing:
        raise AddonError(f"{path}: {', '.join(missing)} missing")
    settings = []
    for option, entry in (about.get("options") or {}).items():
        if option in ("enabled", DEADLINE.name):
            raise AddonError(f"{path}: options: {option} is an option of every addon: choose another name")
        try:
            settings.append(options.read(option, entry))
        except OptionError as error:
            raise AddonError(f"{path}: options: {error}") from error
    documents = tuple(file.read_text() for file in sorted((path.parent / "manifests").glob("*.yaml")))
    return Addon(
        name,
        about["title"],
        about["description"].strip(),
        str(about["version"]),
        about["enabled"],
        tuple(settings),
        documents,
        (about.get("when_off") or "").strip(),
    )
