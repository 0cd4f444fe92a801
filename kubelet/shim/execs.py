"""Commands inside a running container."""

from __future__ import annotations

import fcntl
import os
import termios
from typing import Any, NoReturn

from kubelet.shim import confine, landlock, syscalls
from kubelet.shim.container import Container, enter_cgroups, execute
from kubelet.shim.users import Users

CANNOT_EXECUTE = 126


def start(container: Container, request: dict[str, Any], fds: list[int], users: Users | None) -> tuple[int, str]:
    """Runs `request["args"]` with standard streams `fds` where the container lives: (pid, error text)."""
    status_read, status_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(container, request, fds, status_write, users)
    os.close(status_write)
    error = b""
    while chunk := os.read(status_read, 4096):
        error += chunk
    os.close(status_read)
    return pid, error.decode("utf-8", "replace")


def _child(container: Container, request: dict[str, Any], fds: list[int], status: int, users: Users | None) -> NoReturn:
    try:
        config = {**container.config, "args": request["args"]}
        _join(container.pid, config)
        os.setsid()
        _enter_process_namespace(config)
        for target, source in enumerate(fds):
            os.dup2(source, target)
        if request.get("tty"):
            if config["pidNamespace"]:
                os.setsid()  # the leader of the first session is the process that waits outside
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            config["env"] = {"TERM": "xterm", **config["env"]}
        if users is not None:
            users.own_streams(config["uid"] or 0)
            users.enter()
        execute(config)
    except BaseException as error:
        os.write(status, str(error).encode())
    finally:
        os._exit(CANNOT_EXECUTE)


def _join(pid: int, config: dict[str, Any]) -> None:
    """The container's control groups, mount namespace and root directory."""
    confine.hide()
    enter_cgroups(config)
    if not config["mountNamespace"]:
        landlock.restrict(**config["visible"])
        return
    namespaces = {
        name: os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("mnt", "pid", "cgroup")
    }
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if config["pidNamespace"]:
        syscalls.setns(namespaces["pid"], syscalls.CLONE_NEWPID)
    if config["cgroups"]:
        syscalls.setns(namespaces["cgroup"], syscalls.CLONE_NEWCGROUP)
    syscalls.setns(namespaces["mnt"], syscalls.CLONE_NEWNS)
    os.fchdir(root)
    os.chroot(".")


def _enter_process_namespace(config: dict[str, Any]) -> None:
    """Joining a process namespace takes hold for children: this process stays to pass on its child's end."""
    if not config["pidNamespace"]:
        return
    pid = os.fork()
    if pid == 0:
        return
    # Descriptors of the streams and of the status pipe belong to the child alone.
    os.closerange(0, 256)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os._exit(code if code >= 0 else 128 - code)
