"""From a container of a pod's spec to what the runtime is asked to start."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from kube import quantity
from kube.objects import Json
from kube.pods import podutil
from kubelet import services
from kubelet.capabilities import filtered, granted
from kubelet.envs import Environment, Lookup
from kubelet.expand import expand
from kubelet.fields import PodFacts
from kubelet.podfiles import PodFiles
from kubelet.runtimes.base import ConfigError, ContainerSpec, Limits
from kubelet.volumes import manager as volumes
from kubelet.volumes.base import Ready

if TYPE_CHECKING:
    from kube.shapes import ContainerLike, PodLike

MAX_NAME = 255  # bytes of a folder's name


class Builder:
    """`all_services` gives the services known now; `shared_network` tells whether pods must bind their own address,
    `own_users` whether they may have user namespaces; `profiles` is the folder of seccomp profiles."""

    def __init__(
        self,
        files: PodFiles,
        logs: Path,
        lookup: Lookup,
        all_services: Callable[[], Iterable[Json]],
        facts: Callable[[PodLike, str], PodFacts],
        node: str,
        shared_network: bool,
        own_users: bool,
        profiles: Path,
    ) -> None:
        self._files, self._logs, self._lookup, self._services = files, logs, lookup, all_services
        self._facts, self._node, self._shared, self._own_users = facts, node, shared_network, own_users
        self._profiles = profiles

    async def build(
        self, pod: PodLike, container: ContainerLike, attempt: int, address: str, ready: dict[str, Ready]
    ) -> ContainerSpec:
        """Raises ConfigError in the words that the container's status shows."""
        if pod["spec"].get("hostUsers") is False and not self._own_users:
            raise ConfigError("hostUsers: false cannot be had: it needs a kubelet that runs as root, and Linux 5.12")
        known = services.environment(
            self._services(), pod["metadata"]["namespace"], pod["spec"].get("enableServiceLinks", True)
        )
        base = {"HOSTNAME": podutil.hostname(pod, self._node), **known}
        if self._shared:
            base["POD_IP"] = address
        environment = await Environment(pod, container, self._lookup, self._facts(pod, address)).build(base)
        uid, gid = _identity(pod, container)
        mounts = volumes.mounts(container, ready, environment)
        security, of_pod = container.get("securityContext") or {}, pod["spec"].get("securityContext") or {}
        groups = [gid, of_pod.get("fsGroup"), *(of_pod.get("supplementalGroups") or ())]
        return ContainerSpec(
            name=container["name"],
            attempt=attempt,
            image=container["image"],
            args=[
                expand(text, environment)
                for text in [*(container.get("command") or ()), *(container.get("args") or ())]
            ],
            env=environment,
            cwd=container.get("workingDir") or "",
            log=str(self.log_path(pod, container["name"], attempt)),
            mounts=mounts + self._files.mounts(pod, container, address, attempt),
            uid=uid,
            gid=gid,
            groups=tuple(dict.fromkeys(int(group) for group in groups if group is not None)),
            limits=limits(container),
            no_new_privileges=security.get("allowPrivilegeEscalation") is False,
            readonly_root=bool(security.get("readOnlyRootFilesystem")),
            capabilities=granted(security),
            privileged=bool(security.get("privileged")),
            seccomp=filtered(pod, security, self._profiles),
            unmasked=security.get("procMount") == "Unmasked",
            stdin=bool(container.get("stdin")),
            tty=bool(container.get("tty")),
            target=container.get("targetContainerName") or "",
        )

    def log_path(self, pod: PodLike, name: str, attempt: int) -> Path:
        return self.log_folder(pod) / name / f"{attempt}.log"

    def log_folder(self, pod: PodLike) -> Path:
        """`<namespace>_<name>_<uid>`; of a very long name only as much as a folder's name may hold."""
        metadata = pod["metadata"]
        before, after = f"{metadata['namespace']}_", f"_{metadata['uid']}"
        return self._logs / f"{before}{metadata['name'][: MAX_NAME - len(before) - len(after)]}{after}"


def _identity(pod: PodLike, container: ContainerLike) -> tuple[int | None, int | None]:
    security = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
    uid, gid = security.get("runAsUser"), security.get("runAsGroup")
    if security.get("runAsNonRoot") and (os.geteuid() if uid is None else uid) == 0:
        if uid is None:
            raise ConfigError("container has runAsNonRoot and image will run as root")
        raise ConfigError("container's runAsUser breaks non-root policy")
    if uid is not None and gid is None:
        gid = 0 if os.geteuid() == 0 else None
    return uid, gid


def limits(container: ContainerLike) -> Limits:
    resources = container.get("resources") or {}
    limit, request = resources.get("limits") or {}, resources.get("requests") or {}
    cpu = quantity.milli(limit.get("cpu") or 0)
    asked = quantity.milli(request.get("cpu") or 0)
    return Limits(cpu, quantity.units(limit.get("memory") or 0), max(2, asked * 1024 // 1000))
