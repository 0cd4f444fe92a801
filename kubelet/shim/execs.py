"""Commands inside a running container."""

from __future__ import annotations

import fcntl
import os
import termios
from typing import Any, NoReturn

from kubelet.shim import syscalls
from kubelet.shim.container import Container, execute

CANNOT_EXECUTE = 126


def start(container: Container, request: dict[str, Any], fds: list[int]) -> tuple[int, str]:
    """Runs `request["args"]` with standard streams `fds` where the container lives: (pid, error text)."""
    status_read, status_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(container, request, fds, status_write)
    os.close(status_write)
    error = b""
    while chunk := os.read(status_read, 4096):
        error += chunk
    os.close(status_read)
    return pid, error.decode("utf-8", "replace")


def _child(container: Container, request: dict[str, Any], fds: list[int], status: int) -> NoReturn:
    try:
        config = {**container.config, "args": request["args"]}
        _join(container.pid, config)
        os.setsid()
        _enter_process_namespace(config)
        for target, source in enumerate(fds):
            os.dup2(source, target)
        if request.get("tty"):
            if config.get("pidNamespace"):
                os.setsid()  # the leader of the first session is the process that waits outside
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            config["env"] = {"TERM": "xterm", **config["env"]}
        execute(config)
    except BaseException as error:
        os.write(status, str(error).encode())
    finally:
        os._exit(CANNOT_EXECUTE)


def _join(pid: int, config: dict[str, Any]) -> None:
    """The container's control groups, mount namespace and root directory."""
    for procs_file in config.get("cgroups") or ():
        with open(procs_file, "w") as file:
            file.write("0")
    if not config.get("mountNamespace"):
        return
    mounts = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    processes = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    if config.get("pidNamespace"):
        syscalls.setns(processes, syscalls.CLONE_NEWPID)
    syscalls.setns(mounts, syscalls.CLONE_NEWNS)
    os.fchdir(root)  # the namespace's own root is the host's, the container may have another
    os.chroot(".")


def _enter_process_namespace(config: dict[str, Any]) -> None:
    """Joining a process namespace takes hold for children: this process stays to pass on its child's end."""
    if not config.get("pidNamespace"):
        return
    pid = os.fork()
    if pid == 0:
        return
    # Descriptors of the streams and of the status pipe belong to the child alone.
    os.closerange(0, 256)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os._exit(code if code >= 0 else 128 - code)
