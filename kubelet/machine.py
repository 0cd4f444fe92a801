"""What this machine is: capacity and identity, read from /proc and /etc below `root`."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Machine:
    """CPU in whole cores, memory and disk in bytes."""

    cpus: int
    memory: int
    disk: int
    architecture: str
    kernel: str
    os_image: str
    machine_id: str
    boot_id: str


def inspect(root_dir: Path, root: Path = Path("/")) -> Machine:
    disk = os.statvfs(root_dir)
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory=_memory(root),
        disk=disk.f_blocks * disk.f_frsize,
        architecture=ARCHITECTURES.get(platform.machine(), platform.machine()),
        kernel=platform.release(),
        os_image=_os_image(root),
        machine_id=_text(root / "etc/machine-id"),
        boot_id=_text(root / "proc/sys/kernel/random/boot_id"),
    )


def _memory(root: Path) -> int:
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return int(value.split()[0]) * 1024
    raise OSError(f"{root}/proc/meminfo has no MemTotal")


def _os_image(root: Path) -> str:
    for line in _text(root / "etc/os-release").splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip('"')
    return platform.system()


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
