"""`base.Runtime` over processes of this machine."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import environment as settings
from kube.pods.sysctls import file_of, namespace_of
from kubelet.runtimes.base import ContainerSpec, Limits, Measurable, PodState, Running, SandboxSpec, StartError
from kubelet.runtimes.process import images, shimclient
from kubelet.runtimes.process.addresses import AddressPool
from kubelet.runtimes.process.cgroups import Cgroups
from kubelet.runtimes.process.launch import container_config
from kubelet.runtimes.process.layout import Layouts
from kubelet.runtimes.process.network import Network, digest
from kubelet.runtimes.process.records import Records
from kubelet.runtimes.process.userids import IdRanges
from kubelet.shim import files
from kubelet.shim.container import POD, ROOT

log = logging.getLogger("kubelet.process")
STOP_SECONDS = 5.0


class ProcessRuntime:
    """Runs pods in namespaces as far as this user and kernel allow; says once what is missing."""

    name = "process"
    version = "1.0.0"

    def __init__(self, root_dir: str, pids_limit: int = 4096) -> None:
        self._root = os.path.abspath(root_dir)
        self._records = Records(Path(self._root))
        self._pool = AddressPool("127.244.0.0/24")
        self._ids = IdRanges()
        self._pids_limit = pids_limit
        state = [Path(self._root), Path(settings.VAR.get()).absolute()]
        self._layouts = Layouts(Path(self._root) / "image", state)
        self._zygote = shimclient.Zygote()
        self._watches: dict[str, shimclient.Watch] = {}
        self._dying: set[asyncio.Task[None]] = set()
        self._changed: Callable[[str], None] = lambda uid: None
        self._network: Network | None = None
        self.cgroups: Cgroups | None = None
        self.features: dict[str, bool] = {}
        self.shared_network = True
        self.own_users = False

    # -- the node ---------------------------------------------------------------------------------------------------

    async def start(self, changed: Callable[[str], None], pod_cidr: str) -> None:
        self._changed = changed
        self._pool = AddressPool(pod_cidr)
        self.features = await shimclient.probe()
        self.own_users = self.features["users"]
        await self._start_network()
        if os.geteuid() == 0:
            self.cgroups = Cgroups(f"binnacle-{digest(self._root, 8)}", self._pids_limit)
        self._say_what_is_missing()
        # Pods that an earlier kubelet started: their addresses stay theirs, and living ones are watched again.
        for uid in self._records.uids():
            sandbox = self._records.sandbox(uid)
            if sandbox is None:
                continue
            if sandbox.get("firstId"):
                self._ids.claim(sandbox["firstId"], uid)
            if sandbox.get("address"):
                self._pool.claim(sandbox["address"], uid)
            if self._records.alive(uid) is not None:
                try:
                    await self._watch(uid)
                except OSError as error:
                    log.warning("pod %s: its shim does not answer: %s", uid, error)

    async def _start_network(self) -> None:
        if not self.features["network"]:
            return
        if not Network.available():
            log.warning("the program `ip` (iproute2) is not installed: pods share the machine's network")
            return
        network = Network(self._root, self._pool)
        try:
            await network.ensure()
        except OSError as error:
            log.warning("no pod network, pods share the machine's: %s", error)
            return
        self._network, self.shared_network = network, False

    def _say_what_is_missing(self) -> None:
        missing = []
        if self.shared_network:
            missing.append(f"pods share the machine's network, each with an address in {self._pool.network}")
        if not self.features["mount"]:
            missing.append("volumes are found below $BINNACLE_POD_ROOT instead of at their mountPath")
            kept = self.features["landlock"] and os.geteuid() != 0
            missing.append("Landlock alone keeps pods apart" if kept else "pods are not kept from the machine's files")
        if not self.features["pid"]:
            missing.append("pods see the machine's processes")
        if self.cgroups is None or not self.cgroups.roots:
            missing.append("CPU and memory limits are not enforced")
        if missing:
            log.warning("without root or on this kernel: %s", "; ".join(missing))

    async def _watch(self, uid: str) -> None:
        directory = str(self._records.directory(uid))
        self._watches[uid] = await shimclient.Watch.open(directory, lambda: self._changed(uid), lambda: self._lost(uid))

    def _lost(self, uid: str) -> None:
        self._watches.pop(uid, None)
        task = asyncio.create_task(self._await_death(uid))
        self._dying.add(task)
        task.add_done_callback(self._dying.discard)

    async def _await_death(self, uid: str) -> None:
        """A process closes its sockets a moment before it is gone; only then its pod can be seen as lost."""
        deadline = time.monotonic() + STOP_SECONDS
        while self._records.alive(uid) is not None and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        if self._records.alive(uid) is not None:
            await self._watch(uid)  # it lives: only the connection broke
        self._changed(uid)

    async def close(self) -> None:
        for watch in self._watches.values():
            watch.close()
        self._zygote.close()

    # -- pods -------------------------------------------------------------------------------------------------------

    def pods(self) -> list[str]:
        return self._records.uids()

    def state(self, uid: str) -> PodState | None:
        self._note_oom(uid)
        return self._records.pod(uid)

    def _note_oom(self, uid: str) -> None:
        """Marks ended containers that the kernel killed, before their control group is used again."""
        if self.cgroups is None or not self.cgroups.roots:
            return
        for name, attempt in self._records.starts(uid):
            file = str(self._records.directory(uid) / self._records.folder(name, attempt) / "state.json")
            state = files.read_json(file)
            if state and "exitCode" in state and "oomKilled" not in state:
                state["oomKilled"] = state["exitCode"] != 0 and self.cgroups.oom_killed(uid, f"{name}-{attempt}")
                files.write_json(file, state)
                self.cgroups.remove(uid, f"{name}-{attempt}")

    def measurable(self, uid: str) -> Measurable | None:
        state, sandbox = self.state(uid), self._records.sandbox(uid)
        if state is None or sandbox is None or not state.ready:
            return None
        running = []
        for container in state.containers:
            pid = self._records.first_process(uid, container.name, container.attempt) if container.running else 0
            if pid:
                name = f"{container.name}-{container.attempt}"
                groups = self.cgroups.folders(uid, name) if self.cgroups else {}
                folder = self._records.directory(uid) / self._records.folder(container.name, container.attempt)
                running.append(Running(container, pid, groups, folder / ROOT))
        own = "network" in sandbox["namespaces"]
        pid = self._records.alive(uid) or 0
        return Measurable(state, running, pid if own else 0, self._records.directory(uid))

    def has_image(self, image: str) -> bool:
        return images.known(image)

    async def pull(self, image: str) -> None:
        if not images.known(image):
            raise images.refuse(image)

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        directory = self._records.directory(spec.uid)
        directory.mkdir(parents=True, exist_ok=True)
        await self.stop_sandbox(spec.uid)
        address = "" if spec.host_network else self._pool.take(spec.uid)
        namespaces = {
            "user": self.features["user"],
            "mount": self.features["mount"],
            "network": self._network is not None and not spec.host_network,
            "uts": self.features["uts"] and not spec.host_network,
            "ipc": self.features["mount"] and not spec.host_ipc,
        }
        config: dict[str, Any] = {
            "uid": spec.uid,
            "namespace": spec.namespace,
            "name": spec.name,
            "hostname": spec.hostname,
            "hostPID": spec.host_pid,
            "shareProcesses": spec.share_processes,
            "address": address,
            "createdAt": time.time(),
            "namespaces": [name for name, wanted in namespaces.items() if wanted],
            # Kept with the pod's files, which belong to them: another range would not own what is there.
            "sysctls": {file_of(name): (namespace_of(name), value) for name, value in spec.sysctls.items()},
            "firstId": self._ids.take(spec.uid) if spec.own_users and self.own_users else 0,
        }
        # Until it has its network and volumes: whoever finds it so, after a failure or our death, makes it anew.
        files.write_json(str(directory / "config.json"), {**config, "preparing": True})
        pid = await self._zygote.fork(str(directory))
        if "network" in config["namespaces"]:
            await self._connect(spec.uid, pid, address)
        for volume in spec.memory if self.features["mount"] else ():
            options = "mode=0777" if volume.group is None else f"mode=2777,gid={volume.group}"
            options += f",size={volume.size}" if volume.size else ""
            await self._call(spec.uid, {"op": "tmpfs", "path": volume.path, "options": options})
        files.write_json(str(directory / "config.json"), config)
        await self._watch(spec.uid)
        return address

    async def _connect(self, uid: str, pid: int, address: str) -> None:
        assert self._network is not None
        await self._network.ensure()
        await self._network.attach(uid, pid, address)
        request = {
            "op": "network",
            "interface": "eth0",
            "address": address,
            "netmask": str(self._pool.network.netmask),
            "gateway": self._pool.gateway,
        }
        await self._call(uid, request)

    async def _call(self, uid: str, request: dict[str, Any]) -> dict[str, Any]:
        return await shimclient.call(str(self._records.directory(uid)), request)

    # -- containers -------------------------------------------------------------------------------------------------

    async def start_container(self, uid: str, spec: ContainerSpec) -> str:
        sandbox = self._records.sandbox(uid)
        assert sandbox is not None, "a container is started in a sandbox"
        folder = self._records.directory(uid) / self._records.folder(spec.name, spec.attempt)
        folder.mkdir(parents=True, exist_ok=True)
        Path(spec.log).parent.mkdir(parents=True, exist_ok=True)
        cgroups = self.cgroups.create(uid, f"{spec.name}-{spec.attempt}", spec.limits) if self.cgroups else []
        processes = self._processes(uid, spec, sandbox)
        if self.features["mount"]:
            await asyncio.to_thread(self._layouts.refresh)
        config = container_config(spec, uuid.uuid4().hex, folder, sandbox, processes, cgroups, self._layouts)
        files.write_json(str(folder / "config.json"), config)
        try:
            await self._call(uid, {"op": "start", "folder": self._records.folder(spec.name, spec.attempt)})
        except OSError as error:
            if not (folder / "state.json").exists():
                now = time.time_ns()
                failed = {"startedAt": now, "finishedAt": now, "exitCode": 128, "error": str(error)}
                files.write_json(str(folder / "state.json"), failed)
            raise StartError(str(error)) from error
        return str(config["id"])

    def _processes(self, uid: str, spec: ContainerSpec, sandbox: dict[str, Any]) -> str | None:
        """Whose processes the container sees: None for the machine's, "" its own, POD, or another's by its folder."""
        if not self.features["pid"] or sandbox["hostPID"]:
            return None
        if sandbox.get("shareProcesses"):
            return POD
        return self._running(uid, spec.target) if spec.target else ""

    def _running(self, uid: str, name: str) -> str:
        """The folder of the container's latest start; OSError when it never started."""
        attempts = [attempt for who, attempt in self._records.starts(uid) if who == name]
        if not attempts:
            raise StartError(f"container {name} is not running")
        return self._records.folder(name, max(attempts))

    async def limit(self, uid: str, name: str, attempt: int, limits: Limits) -> None:
        if self.cgroups is not None:
            self.cgroups.change(uid, f"{name}-{attempt}", limits)

    async def kill(self, uid: str, name: str, signal: int) -> None:
        try:
            await self._call(uid, {"op": "kill", "folder": self._running(uid, name), "signal": signal})
        except (StartError, FileNotFoundError, ConnectionError):
            self._changed(uid)  # nothing is left to kill; the next look at its state says so

    async def exec(
        self, uid: str, name: str, args: list[str], fds: tuple[int, int, int], tty: bool = False
    ) -> shimclient.ShimExec:
        request = {"op": "exec", "folder": self._running(uid, name), "args": args, "tty": tty}
        try:
            return await shimclient.ShimExec.start(str(self._records.directory(uid)), request, fds)
        except OSError as error:
            raise StartError(str(error)) from error

    async def attach(self, uid: str, name: str, fds: tuple[int, int]) -> int:
        try:
            return await shimclient.attach(str(self._records.directory(uid)), self._running(uid, name), fds)
        except OSError as error:
            raise StartError(str(error)) from error

    async def end_input(self, uid: str, name: str) -> None:
        try:
            await self._call(uid, {"op": "end_input", "folder": self._running(uid, name)})
        except (StartError, OSError):
            self._changed(uid)  # it ended meanwhile

    async def remove_container(self, uid: str, name: str, attempt: int) -> None:
        self._records.forget_container(uid, name, attempt)

    async def stop_sandbox(self, uid: str) -> None:
        watch = self._watches.pop(uid, None)
        if watch is not None:
            watch.close()
        pid = self._records.alive(uid)
        if pid is not None:
            try:
                await self._call(uid, {"op": "stop"})
            except (OSError, TimeoutError) as error:
                log.warning("pod %s: its shim did not stop when asked (%s), killing it", uid, error)
                os.kill(pid, signal.SIGKILL)
            deadline = time.monotonic() + STOP_SECONDS
            while self._records.alive(uid) is not None and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
        if self._network is not None:
            await self._network.detach(uid)
        self._pool.release(uid)

    async def remove_pod(self, uid: str) -> None:
        if self.cgroups is not None:
            self.cgroups.remove(uid)
        await asyncio.to_thread(self._records.forget, uid)
        self._ids.release(uid)
