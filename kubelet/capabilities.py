"""What a container may do, from its securityContext and its pod's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from kube.objects import Json
from kubelet.runtimes.base import RUNTIME_DEFAULT, UNCONFINED, ConfigError
from kubelet.shim.confine import CAPABILITIES

if TYPE_CHECKING:
    from kube.shapes import PodLike

DEFAULT = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
"""What container runtimes leave to root."""


def granted(security: Json) -> frozenset[str]:
    """The capabilities of a container; ConfigError for a name that is none.

    As container runtimes have it: `ALL` first, then what is added, then what is dropped.
    """
    if security.get("privileged"):
        return frozenset(CAPABILITIES)
    capabilities = security.get("capabilities") or {}
    add, drop = _names(capabilities.get("add") or ()), _names(capabilities.get("drop") or ())
    base = frozenset(CAPABILITIES) if "ALL" in add else DEFAULT
    if "ALL" in drop:
        base = frozenset()
    return (base | add) - drop - {"ALL"}


def _names(names: Iterable[str]) -> set[str]:
    found = set()
    for name in names:
        short = name.upper().removeprefix("CAP_")
        if short != "ALL" and short not in CAPABILITIES:
            raise ConfigError(f'unknown capability "{name}"')
        found.add(short)
    return found


def filtered(pod: PodLike, security: Json, folder: Path) -> str:
    """The profile of system calls, as ContainerSpec has it; the default one where none is named, too.

    `folder` holds the machine's profiles; ConfigError for a path that leads out of it.
    """
    of_pod = pod["spec"].get("securityContext") or {}
    profile = security.get("seccompProfile") or of_pod.get("seccompProfile") or {}
    if security.get("privileged"):
        return UNCONFINED
    if profile.get("type") != "Localhost":
        return UNCONFINED if profile.get("type") == UNCONFINED else RUNTIME_DEFAULT
    name = profile.get("localhostProfile") or ""
    if not name or name.startswith("/") or ".." in name.split("/"):
        raise ConfigError(f'seccomp profile "{name}" is no path below the folder seccomp of the kubelet')
    return str(folder / name)
