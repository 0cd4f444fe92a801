"""The narrow interface between the kubelet and what runs containers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

RUNTIME_DEFAULT, UNCONFINED = "RuntimeDefault", "Unconfined"


class ImageError(Exception):
    """The image cannot be had; `reason` is what a container status shows (ErrImagePull, ErrImageNeverPull, …)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class ConfigError(Exception):
    """The container cannot be made as its spec asks for (CreateContainerConfigError)."""


class CreateError(Exception):
    """The container could not be made with what lies on this machine (CreateContainerError)."""


class StartError(Exception):
    """The container was made and could not be started (RunContainerError, StartError)."""


@dataclass(frozen=True)
class Mount:
    """`source` on the machine appears at `target` in the container, or a place `below` it, which is made if missing."""

    source: str
    target: str
    readonly: bool = False
    below: str = ""


@dataclass(frozen=True)
class Memory:
    """A volume that lives in memory: `path` on the machine, `size` in bytes (0: unbounded), whose `group` it is."""

    path: str
    size: int = 0
    group: int | None = None


@dataclass(frozen=True)
class Limits:
    """Of one container; 0 is no limit.  `shares` is the relative weight of its CPU request."""

    cpu_millis: int = 0
    memory_bytes: int = 0
    shares: int = 2


@dataclass(frozen=True)
class SandboxSpec:
    """What all containers of a pod share."""

    uid: str
    namespace: str
    name: str
    hostname: str
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_processes: bool = False
    """The containers see each other's processes."""
    own_users: bool = False
    """Its ids from 0 on are others outside (`hostUsers: false`)."""
    memory: tuple[Memory, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """Kernel parameters of its namespaces."""


@dataclass(frozen=True)
class ContainerSpec:
    """One start of one container; `attempt` counts them from 0."""

    name: str
    attempt: int
    image: str
    args: list[str]
    env: dict[str, str]
    cwd: str
    log: str
    mounts: list[Mount] = field(default_factory=list)
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()
    limits: Limits = Limits()
    no_new_privileges: bool = False
    readonly_root: bool = False
    """Nothing but the volumes can be written."""
    capabilities: Collection[str] = ()
    """What root may do in the container, without CAP_."""
    privileged: bool = False
    """It has the machine's devices, and all of /proc and /sys to write."""
    seccomp: str = RUNTIME_DEFAULT
    """The profile of system calls: RUNTIME_DEFAULT, UNCONFINED, or the path of one."""
    unmasked: bool = False
    """All of /proc can be read."""
    stdin: bool = False
    tty: bool = False
    target: str = ""
    """The running container whose processes it sees."""


@dataclass(frozen=True)
class ContainerState:
    """What became of one start.  Times are seconds since the epoch; `finished_at` is None while it runs."""

    name: str
    attempt: int
    id: str
    image: str
    started_at: float
    finished_at: float | None = None
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    log: str = ""

    @property
    def running(self) -> bool:
        return self.finished_at is None


@dataclass(frozen=True)
class PodState:
    """A pod as the runtime knows it; `ready` is false when its sandbox is gone and it has to be made anew."""

    uid: str
    namespace: str
    name: str
    ready: bool
    ip: str
    containers: list[ContainerState]
    since: float = 0.0
    """When the sandbox was made; containers that started before belong to an earlier one."""

    def latest(self, name: str) -> ContainerState | None:
        return max((c for c in self.containers if c.name == name), key=lambda c: c.attempt, default=None)

    def before(self, current: ContainerState) -> ContainerState | None:
        """The start before `current`, when its remains are still kept."""
        older = (c for c in self.containers if c.name == current.name and c.attempt < current.attempt)
        return max(older, key=lambda c: c.attempt, default=None)


@dataclass(frozen=True)
class Running:
    """A running container as it can be measured: its first process (0: none), its control groups by controller."""

    state: ContainerState
    pid: int = 0
    groups: dict[str, Path] = field(default_factory=dict)
    written: Path | None = None
    """What it wrote outside of its volumes."""


@dataclass(frozen=True)
class Measurable:
    """`network_pid` is a process in the pod's own network namespace, 0 when it has none; `folder` holds its files."""

    state: PodState
    running: list[Running]
    network_pid: int = 0
    folder: Path | None = None


class Exec(Protocol):
    """A command running in a container."""

    async def wait(self) -> int:
        """Its exit code."""

    def close(self) -> None:
        """Ends it, if it still runs."""


class Runtime(Protocol):
    """All methods may raise OSError when the machine refuses; the pod's worker tries again."""

    name: str
    version: str
    shared_network: bool
    """Pods share the machine's network: their addresses are local ones that a process must bind itself."""
    own_users: bool
    """Pods may have user namespaces of their own; known after `start`."""

    async def start(self, changed: Callable[[str], None], pod_cidr: str) -> None:
        """Finds the pods that already run; from then on calls `changed(pod uid)` when a container ended.

        New pods get their addresses from `pod_cidr`.
        """

    async def close(self) -> None:
        """Lets go of the pods; they go on running."""

    def pods(self) -> list[str]:
        """The uids of all pods of which anything is left."""

    def state(self, uid: str) -> PodState | None: ...

    def measurable(self, uid: str) -> Measurable | None:
        """Where the pod's use of the machine can be read; None when it does not run."""

    def has_image(self, image: str) -> bool: ...

    async def pull(self, image: str) -> None:
        """Raises ImageError."""

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """Makes the pod's namespaces and gives it an address, which is returned ("" with host network)."""

    async def start_container(self, uid: str, spec: ContainerSpec) -> str:
        """Returns the container's id; raises ConfigError, CreateError, StartError."""

    async def limit(self, uid: str, name: str, attempt: int, limits: Limits) -> None:
        """Gives a running container other limits; raises OSError when it uses more than they allow already."""

    async def kill(self, uid: str, name: str, signal: int) -> None:
        """Sends a signal to the container's first process; SIGKILL ends all of it."""

    async def exec(self, uid: str, name: str, args: list[str], fds: tuple[int, int, int], tty: bool = False) -> Exec:
        """Runs a command with these standard streams; raises StartError."""

    async def attach(self, uid: str, name: str, fds: tuple[int, int]) -> int:
        """Output from now on goes to `fds`, too; returns a descriptor for input or -1.  Raises StartError."""

    async def end_input(self, uid: str, name: str) -> None:
        """Standard input of the container ends (a terminal's does not)."""

    async def remove_container(self, uid: str, name: str, attempt: int) -> None: ...

    async def stop_sandbox(self, uid: str) -> None:
        """Kills what is left in it and releases its address."""

    async def remove_pod(self, uid: str) -> None:
        """Removes the last traces of a stopped pod."""
