"""Starting one container as a child of the pod's shim."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from kubelet.shim import confine, files, landlock, procs, seccomp, syscalls
from kubelet.shim.logs import LogFile
from kubelet.shim.mounts import Kernel, Root
from kubelet.shim.users import Users

NOT_STARTED = 128
POD = "pod"
ROOT = "rootfs"
"""The container's root directory, in its folder."""
SHM = "shm"
"""The pod's shared memory, in its folder: containers have it at /dev/shm."""
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class Container:
    """A container of this shim; `folder` is relative to the pod's directory and names it."""

    folder: str
    config: dict[str, Any]
    log: LogFile
    pid: int = 0
    input: int = -1
    """Where its standard input is written: a pipe, or its terminal; -1 when it has none or it was ended."""
    state: dict[str, Any] = field(default_factory=dict)

    def end_input(self) -> None:
        """It reads end of file, once nobody else holds the descriptor."""
        if self.input >= 0:
            os.close(self.input)
            self.input = -1

    def save(self) -> None:
        files.write_json(os.path.join(self.folder, "state.json"), self.state)


def start(
    folder: str, log_options: dict[str, int] | None = None, neighbour: int = 0, users: Users | None = None
) -> tuple[Container, dict[int, str], str]:
    """Starts the container whose `config.json` lies in `folder`, in the process namespace of `neighbour` and as root of
    `users`, if any.

    Returns it, its pipes (file descriptor to stream name), and an error text ("" when it runs).  A container that
    could not be started has a final state with exit code 128, as container runtimes report it.
    """
    config = files.read_json(os.path.join(folder, "config.json"))
    container = Container(folder, config, LogFile(config["log"], **(log_options or {})))
    streams, pipes = _streams(container)
    container.pid, error = _fork(config, folder, streams, neighbour, users)
    for fd in set(streams):
        os.close(fd)
    container.state = {"pid": container.pid, "ticks": procs.started(container.pid), "startedAt": time.time_ns()}
    if error:
        container.state.update(exitCode=NOT_STARTED, finishedAt=time.time_ns(), error=error)
    container.save()
    for fd in pipes:
        os.set_blocking(fd, False)
    return container, pipes, error


def _streams(container: Container) -> tuple[tuple[int, int, int], dict[int, str]]:
    """The standard streams for the program, and our ends of its output."""
    if container.config.get("tty"):
        master, slave = os.openpty()
        container.input = os.dup(master)
        return (slave, slave, slave), {master: "stdout"}
    if container.config.get("stdin"):
        stdin, container.input = os.pipe()
    else:
        stdin = os.open("/dev/null", os.O_RDONLY)
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    return (stdin, out_write, err_write), {out_read: "stdout", err_read: "stderr"}


def _fork(
    config: dict[str, Any], folder: str, streams: tuple[int, int, int], neighbour: int, users: Users | None
) -> tuple[int, str]:
    """Forks, waits until the program was executed (or failed to be): (pid, error text)."""
    status_read, status_write = os.pipe()
    go_read, go_write = os.pipe()
    private = bool(config.get("pidNamespace"))
    pid = _spawn(lambda: _child(config, folder, streams, status_write, go_read, go_write, users), private, neighbour)
    os.close(status_write)
    os.close(go_read)
    os.write(go_write, b"g")
    os.close(go_write)
    error = b""
    while chunk := os.read(status_read, 4096):
        error += chunk
    os.close(status_read)
    return pid, error.decode("utf-8", "replace")


def hold_processes() -> int:
    """The pid of the first process of a new process namespace; it takes orphans, and ends with this process."""
    read, _ = os.pipe()  # nobody writes: the other end stays open as long as we live

    def wait() -> NoReturn:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
        os.dup2(read, 0)
        os.closerange(1, 1 << 16)
        # It is among the containers' processes: it keeps nothing that they may not have.
        os.chroot(SHM)
        os.chdir("/")
        syscalls.keep_capabilities(0)
        os.read(0, 1)
        os._exit(0)

    pid = _spawn(wait, private=True)
    os.close(read)
    return pid


def _spawn(child: Callable[[], NoReturn], private: bool, neighbour: int = 0) -> int:
    """The pid of a process that runs `child`, in the process namespace of `neighbour` or, if `private`, one of its own.

    unshare(CLONE_NEWPID) concerns children only, and only the first of each process can be its init: a process in
    between forks it and ends; the shim, a subreaper, becomes its parent.
    """
    if not private:
        pid = os.fork()
        if pid == 0:
            child()
        return pid
    read, write = os.pipe()
    between = os.fork()
    if between == 0:
        _between(child, write, neighbour)
    os.close(write)
    pid = int(os.read(read, 32) or b"0")
    os.close(read)
    os.waitpid(between, 0)
    if pid == 0:
        raise OSError("no process namespace could be made for the container")
    return pid


def _between(child: Callable[[], NoReturn], write: int, neighbour: int) -> NoReturn:
    try:
        if neighbour:
            syscalls.setns(os.open(f"/proc/{neighbour}/ns/pid", os.O_RDONLY | os.O_CLOEXEC), syscalls.CLONE_NEWPID)
        else:
            syscalls.unshare(syscalls.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            os.close(write)
            child()
        os.write(write, b"%d" % pid)
    finally:
        os._exit(0)


def _child(
    config: dict[str, Any],
    folder: str,
    streams: tuple[int, int, int],
    status: int,
    go_read: int,
    go_write: int,
    users: Users | None,
) -> NoReturn:
    """In the new process: never returns."""
    try:
        os.close(go_write)
        confine.hide()
        os.read(go_read, 1)  # from here on the shim is the parent, which the death signal below is bound to
        os.setsid()
        for fd, source in enumerate(streams):
            os.dup2(source, fd)
        if config.get("tty"):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            config["env"] = {"TERM": "xterm", **config["env"]}
        prepare(config, folder, users)
        execute(config)
    except BaseException as error:
        os.write(status, str(error).encode())
    finally:
        os._exit(NOT_STARTED)


def prepare(config: dict[str, Any], folder: str, users: Users | None) -> None:
    """Control groups, root directory and user namespace of the calling process."""
    enter_cgroups(config)
    if not config["mountNamespace"]:
        landlock.restrict(**config["visible"])
        return
    groups = config["cgroups"]
    syscalls.unshare(syscalls.CLONE_NEWNS | (syscalls.CLONE_NEWCGROUP if groups else 0))
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    kernel = Kernel(
        own_processes=config["pidNamespace"],
        privileged=config["privileged"],
        unmasked=config["unmasked"],
        cgroups=[os.path.dirname(group) for group in groups],
    )
    root = Root(os.path.abspath(os.path.join(folder, ROOT)), kernel, users)
    home = (config["env"].get("HOME", ""), *(-1 if own is None else own for own in (config["uid"], config["gid"])))
    root.enter(config["layout"], config["mounts"], config["shm"], home)
    if config["readonlyRoot"]:
        root.seal()
    if users is not None:
        users.own_streams(config["uid"] or 0)
        users.enter()
        syscalls.unshare(syscalls.CLONE_NEWNS)  # with the right to mount it may mount, and undo nothing of the above


def enter_cgroups(config: dict[str, Any]) -> None:
    for procs_file in config["cgroups"]:
        with open(procs_file, "w") as file:
            file.write("0")


def execute(config: dict[str, Any]) -> NoReturn:
    """Drops to the configured identity and becomes the program."""
    try:
        os.chdir(config["cwd"])
    except FileNotFoundError as error:
        raise OSError(f"workingDir {config['cwd']!r} does not exist") from error
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.umask(0o022)
    confine.bound(config["capabilities"])
    if config["noNewPrivileges"]:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    if config["seccomp"]:
        seccomp.install(bytes.fromhex(config["seccomp"]))  # the fewer calls follow, the fewer a profile must allow
    uid, gid = config["uid"], config["gid"]
    if os.geteuid() == 0 and (uid is not None or gid is not None or config["groups"]):
        os.setgroups(config["groups"] or ([gid] if gid is not None else []))
        if gid is not None:
            os.setgid(gid)
        if uid is not None:
            os.setuid(uid)
    confine.give_up(config["capabilities"])
    # After the change of user, which clears it: without the shim nobody would keep log and exit code.
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    program = config["args"][0]
    try:
        os.execvpe(program, config["args"], config["env"])
    except FileNotFoundError as error:
        raise OSError(f'exec: "{program}": executable file not found in $PATH') from error
    except PermissionError as error:
        raise OSError(f'exec: "{program}": permission denied') from error
