"""The shim of one pod: it holds the pod's namespaces, is the parent of its containers, and keeps their logs.

It serves requests on `shim.sock` in the pod's directory, one JSON message each way (SOCK_SEQPACKET):

    {"op": "network", "interface", "address", "netmask", "gateway"}   address of the pod inside its namespace
    {"op": "tmpfs", "path", "options"}       a memory volume, visible to the containers started later
    {"op": "start", "folder"}                start a container                       -> {"pid"} or {"error"}
    {"op": "kill", "folder", "signal"}       a signal to its first process
    {"op": "exec", "folder", "args", "tty"}  with three descriptors  -> {"pid"}, then {"exit": code}
    {"op": "attach", "folder"}               with two descriptors: its output from now on goes there, too
                                             -> {"input": whether a descriptor for its input comes with the answer}
    {"op": "end_input", "folder"}            its standard input ends
    {"op": "watch"}                          -> {"exited": folder} for each end, until the connection closes
    {"op": "stop"}                           ends everything, then itself
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from kubelet.shim import container as containers
from kubelet.shim import execs, files, procs, syscalls, taps
from kubelet.shim import users as of_users

CHUNK = 64 * 1024
_NAMESPACES = {
    "mount": syscalls.CLONE_NEWNS,
    "network": syscalls.CLONE_NEWNET,
    "uts": syscalls.CLONE_NEWUTS,
    "ipc": syscalls.CLONE_NEWIPC,
}
_FILES = {"network": "net", "uts": "uts", "ipc": "ipc"}
"""As they are called below /proc/PID/ns; what of them a pod has belongs to its user namespace."""


def enter_namespaces(config: dict[str, Any]) -> of_users.Users | None:
    """Makes the pod's namespaces; `config["namespaces"]` lists user, mount, network, uts, ipc.

    `config["sysctls"]`: files below /proc/sys with (namespace, value).
    `config["firstId"]`: it has a user namespace of its own, of ids from there on, which is returned and not entered.
    """
    wanted = config.get("namespaces") or []
    users = None
    if "user" in wanted:
        # One in which we keep our own ids: it brings the right to mount, and nothing else.
        uid, gid = os.geteuid(), os.getegid()
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    if config.get("firstId"):
        owned = [name for name in wanted if name in _FILES]
        users = of_users.make(config["firstId"], [_FILES[name] for name in owned], _flags(owned))
    syscalls.unshare(_flags(name for name in wanted if users is None or name not in _FILES))
    if "mount" in wanted:
        syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE)
        os.makedirs(containers.SHM, exist_ok=True)
        if "ipc" in wanted:
            flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
            syscalls.mount("none", containers.SHM, "tmpfs", flags, "mode=1777,size=64m")
    if "uts" in wanted and config.get("hostname"):
        socket.sethostname(config["hostname"])
    if "network" in wanted:
        syscalls.interface_up("lo")
    for file, (namespace, value) in (config.get("sysctls") or {}).items():
        if {"net": "network"}.get(namespace, namespace) not in wanted:  # they would be the machine's
            raise OSError(f"{file} cannot be set: the pod has no {namespace} namespace of its own")
        with open(f"/proc/sys/{file}", "w") as opened:
            opened.write(value)
    return users


def _flags(names: Iterable[str]) -> int:
    return sum(_NAMESPACES.get(name, 0) for name in names)


class Shim:
    """The event loop; runs in the pod's directory."""

    def __init__(self, config: dict[str, Any], users: of_users.Users | None) -> None:
        self._config, self._users = config, users
        self._poll = select.poll()
        if os.path.exists("shim.sock"):
            os.unlink("shim.sock")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind("shim.sock")
        os.chmod("shim.sock", 0o600)
        self._listener.listen(64)
        self._poll.register(self._listener, select.POLLIN)
        self._clients: dict[int, socket.socket] = {}
        self._watchers: set[int] = set()
        self._taps = taps.Taps()
        self._pipes: dict[int, tuple[containers.Container, str]] = {}
        self._running: dict[int, containers.Container] = {}
        self._execs: dict[int, int] = {}
        self._pause = 0
        self._wake = self._on_children()

    def _on_children(self) -> int:
        read, write = os.pipe()
        for fd in (read, write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._poll.register(read, select.POLLIN)
        return read

    def run(self) -> None:
        files.write_json("sandbox.json", {"pid": os.getpid(), "ticks": procs.started(os.getpid())})
        while True:
            for fd, _ in self._poll.poll():
                if fd in self._pipes:
                    self._read_log(fd)
                elif fd == self._wake:
                    os.read(fd, 4096)
                    self._reap()
                elif fd == self._listener.fileno():
                    client, _ = self._listener.accept()
                    self._clients[client.fileno()] = client
                    self._poll.register(client, select.POLLIN)
                elif fd in self._clients:
                    self._serve(fd)

    # -- requests ---------------------------------------------------------------------------------------------------

    def _serve(self, fd: int) -> None:
        client = self._clients[fd]
        try:
            data, fds, _, _ = socket.recv_fds(client, CHUNK * 4, 3)
        except ConnectionResetError:
            data, fds = b"", []
        if not data:
            self._hang_up(fd)
            return
        try:
            request = json.loads(data)
            answer: dict[str, Any] = getattr(self, "_op_" + request["op"])(request, fd, fds)
        except Exception as error:  # one bad request must not end the pod
            answer = {"error": f"{type(error).__name__}: {error}"}
        finally:
            for received in fds:
                os.close(received)
        self._send(fd, answer, answer.pop("descriptors", ()))

    def _send(self, fd: int, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        client = self._clients.get(fd)
        if client is None:
            return
        try:
            data, flags = [json.dumps(message).encode()], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
            socket.send_fds(client, data, list(descriptors), flags)
        except OSError:
            self._hang_up(fd)  # nobody reads: state files hold what it would have been told

    def _hang_up(self, fd: int) -> None:
        self._poll.unregister(fd)
        self._watchers.discard(fd)
        self._clients.pop(fd).close()
        for pid in [pid for pid, client in self._execs.items() if client == fd]:
            del self._execs[pid]
            _signal(pid, signal.SIGKILL, group=True)

    def _op_network(self, request: dict[str, Any], fd: int, fds: list[int]) -> dict[str, Any]:
        syscalls.interface_address(request["interface"], request["address"], request["netmask"])
        syscalls.interface_up(request["interface"])
        syscalls.default_route(request["gateway"])
        return {}

    def _op_tmpfs(self, request: dict[str, Any], fd: int, fds: list[int]) -> dict[str, Any]:
        if not os.path.ismount(request["path"]):
            flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
            syscalls.mount("tmpfs", request["path"], "tmpfs", flags, request["options"])
        return {}

    def _op_start(self, request: dict[str, Any], fd: int, fds: list[int]) -> dict[str, Any]:
        neighbour = self._neighbour(request["folder"])
        started, pipes, error = containers.start(request["folder"], self._config.get("logs"), neighbour, self._users)
        for pipe, stream in pipes.items():
            self._pipes[pipe] = (started, stream)
            self._poll.register(pipe, select.POLLIN)
        self._running[started.pid] = started
        return {"error": error} if error else {"pid": started.pid}

    def _neighbour(self, folder: str) -> int:
        """A process in whose process namespace the container is to live; 0 for one of its own."""
        whose = files.read_json(os.path.join(folder, "config.json")).get("processesOf")
        if whose == containers.POD:
            self._pause = self._pause or containers.hold_processes()
            return self._pause
        if not whose:
            return 0
        target = self._find(whose)
        if target is None:
            raise ProcessLookupError("the target container is not running")
        return target.pid

    def _op_kill(self, request: dict[str, Any], fd: int, fds: list[int]) -> dict[str, Any]:
        found = self._find(request["folder"])
        if found is not None:
            _signal(found.pid, request["signal"])
        return {"found": found is not None}

    def _op_exec(self, request: dict[str, Any], fd: int, fds: list[int]) -> dict[str, Any]:
        found = self._find(request["folder"])
        if found is None:
            return {"error": "container not running"}
        pid, error = execs.start(found, request, fds, self._users)
        if error:
            return {"error": error}
        self._execs[pid] = fd
        return {"pid": pid}

    def _op_attach(self, request: dict[str, Any], fd: int, fds: list[int]) -> dict[str, Any]:
        found = self._find(request["folder"])
        if found is None:
            return {"error": "container not running"}
        self._taps.add(found, fds)
        return {"input": found.input >= 0, "descriptors": [found.input] if found.input >= 0 else []}

    def _op_end_input(self, request: dict[str, Any], fd: int, fds: list[int]) -> dict[str, Any]:
        found = self._find(request["folder"])
        if found is not None and not found.config.get("tty"):
            found.end_input()
        return {}

    def _op_watch(self, request: dict[str, Any], fd: int, fds: list[int]) -> dict[str, Any]:
        self._watchers.add(fd)
        return {}

    def _op_stop(self, request: dict[str, Any], fd: int, fds: list[int]) -> dict[str, Any]:
        for pid in list(self._running):
            _signal(pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while self._running and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.01)
        os.unlink("sandbox.json")
        self._send(fd, {})
        os._exit(0)

    def _find(self, folder: str) -> containers.Container | None:
        return next((c for c in self._running.values() if c.folder == folder), None)

    # -- what containers do -----------------------------------------------------------------------------------------

    def _read_log(self, fd: int) -> None:
        owner, stream = self._pipes[fd]
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # EIO: nobody has the terminal open any more
        self._taps.feed(owner, stream, data)
        try:
            if data:
                owner.log.feed(stream, data)
                return
            owner.log.flush(stream)
        except OSError as error:  # a full disk loses log lines, not the pod
            sys.stderr.write(f"{owner.log.path}: {error}\n")
        if not data:
            del self._pipes[fd]
            self._poll.unregister(fd)
            os.close(fd)
            if not any(other is owner for other, _ in self._pipes.values()):
                owner.log.close()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if pid in self._running:
                self._ended(self._running.pop(pid), code)
            elif pid in self._execs:
                self._send(self._execs.pop(pid), {"exit": code if code >= 0 else 128 - code})

    def _ended(self, ended: containers.Container, code: int) -> None:
        if ended.config.get("processesOf") != "":
            procs.kill_leftovers(ended.pid, ended.config["id"])
        # The log is complete before the end is told; a process that kept the pipe may not hold this up.
        for fd in [fd for fd, (owner, _) in self._pipes.items() if owner is ended]:
            while fd in self._pipes and select.select([fd], [], [], 0)[0]:
                self._read_log(fd)
            if fd in self._pipes:
                ended.log.flush(self._pipes[fd][1])
        self._taps.close(ended)
        ended.end_input()
        if "exitCode" not in ended.state:
            ended.state["exitCode"] = code if code >= 0 else 128 - code
            ended.state["finishedAt"] = time.time_ns()
            if code < 0:
                ended.state["signal"] = -code
        ended.save()
        for fd in list(self._watchers):
            self._send(fd, {"exited": ended.folder})


def _signal(pid: int, number: int, group: bool = False) -> None:
    try:
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return


def main(config: dict[str, Any]) -> Shim:
    """Sets the process up as the shim of the pod whose directory is the working directory."""
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    return Shim(config, enter_namespaces(config))
