"""From a ContainerSpec to what the shim is told."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kube.objects import SYSTEM_NAMESPACE
from kubelet.runtimes.base import RUNTIME_DEFAULT, UNCONFINED, ConfigError, ContainerSpec, CreateError, Mount
from kubelet.runtimes.process import images, seccomp
from kubelet.runtimes.process.layout import Layouts
from kubelet.shim import subpaths
from kubelet.shim.container import SHM
from kubelet.shim.procs import MARK
from kubelet.shim.users import COUNT


def container_config(
    spec: ContainerSpec,
    identifier: str,
    folder: Path,
    sandbox: dict[str, Any],
    processes: str | None,
    cgroups: list[str],
    layouts: Layouts,
) -> dict[str, Any]:
    """The content of a container's config.json; `processes` as `_processes` of the runtime says.

    Raises ConfigError, CreateError.
    """
    mounts = "mount" in sandbox["namespaces"]
    _check(spec, sandbox)
    trusted = sandbox["namespace"] == SYSTEM_NAMESPACE
    environment = {**images.environment(spec.image, spec.uid, trusted), **spec.env}
    if processes != "":
        environment[MARK] = identifier
    visible: dict[str, Any] = {}
    if not mounts:
        environment["BINNACLE_POD_ROOT"] = _link_volumes(folder, spec.mounts)
        (folder / "tmp").mkdir(exist_ok=True)
        environment.setdefault("TMPDIR", str(folder / "tmp"))
        signals = bool(sandbox.get("shareProcesses") or sandbox["hostPID"])
        visible = {**_visible(spec, folder, layouts), "signals": signals}
    return {
        "id": identifier,
        "image": spec.image,
        "args": spec.args,
        "env": environment,
        "cwd": spec.cwd or images.working_directory(spec.image),
        "uid": spec.uid,
        "gid": spec.gid,
        "groups": list(spec.groups),
        "log": spec.log,
        "mounts": [asdict(mount) for mount in spec.mounts],
        "mountNamespace": mounts,
        "pidNamespace": processes is not None,
        "processesOf": processes,
        "cgroups": cgroups,
        "layout": layouts.of(spec.image) if mounts else {},
        "visible": visible,
        "shm": SHM if "ipc" in sandbox["namespaces"] else "/dev/shm",
        "privileged": spec.privileged,
        "capabilities": sorted(spec.capabilities),
        "seccomp": _filter(spec).hex(),
        # An ordinary user's programs gain nothing: what could be gained is not in the pod's user namespace.
        "noNewPrivileges": spec.no_new_privileges or os.geteuid() != 0,
        "readonlyRoot": spec.readonly_root,
        "unmasked": spec.unmasked,
        "stdin": spec.stdin,
        "tty": spec.tty,
    }


def _check(spec: ContainerSpec, sandbox: dict[str, Any]) -> None:
    """Whether the container can be had here. Raises ConfigError."""
    if os.geteuid() != 0 and spec.uid not in (None, os.geteuid()):
        raise ConfigError(
            f"securityContext.runAsUser {spec.uid}: the node agent runs as uid {os.geteuid()} and can start processes "
            "of that user only; run it as root, or leave runAsUser out"
        )
    unmapped = [number for number in (spec.uid, spec.gid, *spec.groups) if number is not None and number >= COUNT]
    if sandbox.get("firstId") and unmapped:
        raise ConfigError(
            f"securityContext: user or group {unmapped[0]} is none of the {COUNT} that a pod with hostUsers: false has"
        )
    if not spec.args:
        raise ConfigError(f'no command specified: image "{spec.image}" has none of its own; set command')


def _filter(spec: ContainerSpec) -> bytes:
    """The program that the container's system calls are held to; nothing where they are free."""
    machine = os.uname().machine
    if spec.seccomp == UNCONFINED:
        return b""
    if spec.seccomp == RUNTIME_DEFAULT:
        return seccomp.default_program(machine, frozenset(spec.capabilities))
    try:
        return seccomp.program_of(spec.seccomp, machine, spec.capabilities)
    except ValueError as error:
        raise CreateError(str(error)) from error


def _link_volumes(folder: Path, mounts: list[Mount]) -> str:
    """Without a mount namespace: a folder that holds a link at each mountPath; returns its path."""
    root = folder / "root"
    for mount in sorted(mounts, key=lambda m: m.target.count("/")):
        link = root / os.path.normpath(f"/{mount.target}").strip("/")  # `..` leads nowhere above a root
        if any(parent.is_symlink() for parent in link.parents):
            raise ConfigError(f"mountPath {mount.target} lies within another volume: this needs a mount namespace")
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_symlink():
            continue
        try:
            link.symlink_to(subpaths.provide(mount.source, mount.below) if mount.below else mount.source)
        except ValueError as error:
            raise ConfigError(str(error)) from error
    return str(root)


def _visible(spec: ContainerSpec, folder: Path, layouts: Layouts) -> dict[str, list[str]]:
    """What Landlock lets the container read and write where it shares the machine's root."""
    writable = ["/dev", str(folder / "tmp"), *(mount.source for mount in spec.mounts if not mount.readonly)]
    readable = [str(folder / "root"), *(mount.source for mount in spec.mounts), *layouts.visible(spec.image)]
    return {"readable": readable, "writable": writable}
