"""What must hold before anything is started; each failure is one sentence that says what to do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

PROBE = Path(__file__).resolve().parent.parent / "kubelet/shim/probe.py"
NODE_PORTS = range(30000, 32768)


class Refused(Exception):
    """The command cannot be carried out; the message says why and what to do."""


def check_folder(var: Path) -> None:
    """The state folder exists, can be written, and is nobody else's to read: what is open is closed, at each start."""
    try:
        for folder in (var, var / "run", var / "log", var / "pki", var / "keys", var / "audit"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _make_private(folder, 0o700)
        # Keys and tokens themselves too: a backup or a copy of the folder keeps their modes.
        for file in (
            *(var / "pki").iterdir(),
            *(var / "keys").iterdir(),
            *var.glob("kubeconfig"),
            *var.glob("*/kubeconfig"),
            *var.glob("cluster.db*"),
        ):
            _make_private(file, 0o600)
        probe = var / ".writable"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise Refused(
            f"the state folder {var} cannot be written ({error.strerror}): choose another with VAR=…"
        ) from error
    # A Unix socket's path has a limit in the kernel, which shows only as an odd error much later.
    if len(str(var / "run" / "supervisor.sock")) > 100:
        raise Refused(f"the path of the state folder {var} is too long for sockets: choose a shorter one with VAR=…")


def _make_private(path: Path, mode: int) -> None:
    """Takes from others what they may do. Raises Refused where it is theirs, OSError where modes cannot be changed."""
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise Refused(
            f"{path} belongs to the user with the number {found.st_uid}, who could read and change the cluster's keys: "
            f"give it to the user who starts the cluster (chown -R), or choose another folder with VAR=…"
        )
    if found.st_mode & 0o077:
        path.chmod(mode)
        if path.stat().st_mode & 0o077:  # as on file systems that keep no modes
            raise Refused(f"{path} stays open to others whatever its mode is set to: choose another folder with VAR=…")


def check_port(port: int, variable: str, what: str) -> None:
    """Nobody listens on the port."""
    if port in NODE_PORTS:
        raise Refused(
            f"port {port} ({what}) lies among the node ports of services ({NODE_PORTS[0]}-{NODE_PORTS[-1]}), "
            f"one of which could take it over: choose another with {variable}=…"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError as error:
            raise Refused(f"port {port} ({what}) needs root: choose one above 1023 with {variable}=…") from error
        except OSError as error:
            raise Refused(f"port {port} ({what}) is in use: choose another with {variable}=…") from error


def running(var: Path) -> int | None:
    """The process id of this installation's supervisor, None when it is not running."""
    try:
        pid = int((var / "run" / "supervisord.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    # A process id may have been given to another program after a crash or a reboot.
    return pid if str(var / "supervisord.conf").encode() in command else None


def limits() -> list[str]:
    """What this user cannot have here, and what is done instead."""
    found: dict[str, bool] = json.loads(subprocess.check_output([sys.executable, "-I", "-S", str(PROBE)]))
    sentences = []
    if os.geteuid() != 0:
        sentences.append(
            "not root: pods are plain processes with addresses in 127.0.0.0/8, without cgroup limits; "
            "services are forwarded in userspace, on ports from 1024 up"
        )
    if not found["mount"]:
        kept = found["landlock"] and os.geteuid() != 0
        sentences.append(
            "no mount namespaces for pods here (they need Linux 5.12, and user namespaces where you are not root): pods "
            "share this machine's file system and see its processes; "
            + (
                "Landlock keeps them from all files but programs and their own volumes"
                if kept
                else "they are not isolated, and who may create one may do what you may"
            )
        )
    return sentences
