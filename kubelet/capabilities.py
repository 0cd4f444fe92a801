"""What a container may do, from its securityContext and its pod's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kube.objects import Json
from kubelet.runtimes.base import ConfigError
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


def filtered(pod: PodLike, security: Json) -> bool:
    """Whether the default filter of system calls applies: it does where no profile is named, too.

    ConfigError for a profile that this kubelet cannot have.
    """
    of_pod = pod["spec"].get("securityContext") or {}
    profile = security.get("seccompProfile") or of_pod.get("seccompProfile") or {}
    if profile.get("type") == "Localhost":
        raise ConfigError(
            f'seccomp profile "{profile.get("localhostProfile")}": this kubelet has no profiles of the machine; '
            "seccompProfile.type can be RuntimeDefault or Unconfined"
        )
    return profile.get("type") != "Unconfined" and not security.get("privileged")
