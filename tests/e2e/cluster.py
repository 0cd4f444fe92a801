"""A cluster under test: started and stopped as a user does, spoken to with the real kubectl."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import environment as settings
from config import kubectl
from config.control import supervisor
from tests.e2e import machine
from tests.e2e.machine import ROOT
from tests.ports import free_port

SLOW = 2.0  # a loaded machine takes longer: nobody waits for this who gets what he waits for


class Cluster:
    """One state folder and the commands on it. `ordinary`: run by an ordinary user, though the tests are root."""

    def __init__(self, ordinary: bool, isolated: bool, **environment: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bn", dir="/tmp"))
        self.var, self.home = self.folder / "var", self.folder / "home"
        self.home.mkdir()
        self.ordinary = ordinary
        self.prefix = machine.as_user() if ordinary and os.geteuid() == 0 else []
        if self.prefix:
            for path in (self.folder, self.home):
                os.chown(path, machine.USER, machine.USER)
        # In a network of its own the usual ports are free; else whatever is.
        self.port, self.api_port = (8080, 6443) if isolated else (free_port(), free_port())
        self.isolated = isolated
        self.started = ""  # what the first start printed
        self.environment = {
            "PATH": self._path(),
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "BINNACLE_VAR": str(self.var),
            "PORT": str(self.port),
            "API_PORT": str(self.api_port),
            **environment,
        }

    def _path(self) -> str:
        # Of root's own folders an ordinary user sees nothing: no shims of pyenv, for one.
        entries = settings.PATH.get().split(os.pathsep)
        return os.pathsep.join(entry for entry in entries if not (self.prefix and entry.startswith("/root")))

    # -- the commands of the Makefile

    def config(self, *words: str, timeout: float = 240, **environment: str) -> subprocess.CompletedProcess[str]:
        """`python -m config …` as this cluster's user."""
        return subprocess.run(
            [*self.prefix, sys.executable, "-m", "config", *words],
            cwd=ROOT,
            text=True,
            env={**self.environment, **environment},
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    def up(self) -> str:
        """Start; what was printed. Where it fails, all that is known of the processes is told."""
        try:
            done = self.config("up", "--detach")
        except subprocess.TimeoutExpired as late:
            raise AssertionError(
                f"up did not return:\n{_text(late.stdout)}{_text(late.stderr)}\n{self.state()}"
            ) from late
        assert done.returncode == 0, f"up failed with {done.returncode}:\n{done.stdout}{done.stderr}\n{self.state()}"
        return done.stdout

    def down(self) -> str:
        done = self.config("down")
        assert done.returncode == 0, f"down failed with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def close(self) -> None:
        """Stop, and see that nothing is left behind; what is left is ended before it is complained about."""
        try:
            self.config("down")
            left = self.leftovers()
            for pid in left:
                machine.kill(pid)
            assert not left, f"processes outlive `down`: {left}\n{self.logs()}"
            if self.isolated:
                # The kernel takes the interfaces of a network that is gone away in its own time.
                links = machine.links()
                deadline = time.monotonic() + 60
                while links != ["lo"] and time.monotonic() < deadline:
                    time.sleep(0.1)
                    links = machine.links()
                assert links == ["lo"], f"network interfaces outlive `down`: {links}"
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def leftovers(self, patience: float = 10) -> dict[int, str]:
        """Processes of this cluster that still live, after a little patience."""
        deadline = time.monotonic() + patience
        while (found := machine.processes_with(str(self.var))) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def state(self) -> str:
        """What `status` says, who listens, how busy the machine is, and the ends of the logs: for a failure's message."""
        try:
            status = self.config("status", timeout=30)
            said = f"{status.stdout}{status.stderr}"
        except subprocess.TimeoutExpired:
            said = "status does not return"
        load, ports = " ".join(map(str, os.getloadavg())), f"{self.port} and {self.api_port}"
        return f"{said}\nload {load}, ports {ports}, listening: {machine.listening()}\n{self.logs(30)}"

    def logs(self, lines: int = 15) -> str:
        """The ends of all log files, for a failure's message."""
        parts = []
        for path in sorted((self.var / "log").glob("*[!0-9]")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            parts.append(f"--- {path.name}\n" + "\n".join(tail))
        return "\n".join(parts)

    # -- processes

    def supervisor(self) -> Any:
        """The supervisor's XML-RPC interface."""
        return supervisor(self.var)

    def pid(self, name: str) -> int:
        """The process id of a supervised process, once it runs."""
        found = self.until(
            lambda: self.supervisor().getProcessInfo(name),
            lambda info: info["pid"] != 0,
            timeout=20,
            what=f"process {name} runs",
        )
        return int(found["pid"])

    # -- kubectl and HTTP

    def run(
        self, *words: str, stdin: str | None = None, timeout: float = 150, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """kubectl, whatever it answers."""
        return subprocess.run(
            ["kubectl", *words],
            text=True,
            input=stdin,
            env=self.kubectl_environment(**environment),
            cwd=ROOT,
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    def kubectl_environment(self, **environment: str) -> dict[str, str]:
        return {
            **self.environment,
            "PATH": f"{settings.PATH.get()}:{kubectl.OWN.parent}",
            "KUBECONFIG": str(self.var / "kubeconfig"),
            "KUBECACHEDIR": str(self.folder / "cache"),
            **environment,
        }

    def kubectl(self, *words: str, stdin: str | None = None, timeout: float = 150, **environment: str) -> str:
        """kubectl's output; fails with all it said when it fails."""
        done = self.run(*words, stdin=stdin, timeout=timeout, **environment)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def get(self, *words: str) -> Any:
        """`kubectl get … -o json`, decoded."""
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def path(self, *words: str) -> str:
        """`kubectl get … -o jsonpath=…`: the last word is the path."""
        return self.kubectl("get", *words[:-1], "-o", f"jsonpath={words[-1]}")

    def until(
        self, look: Callable[[], Any], good: Callable[[Any], Any] = bool, timeout: float = 30, what: str = ""
    ) -> Any:
        """What `look` returns as soon as `good` likes it; fails with the last sight (or error) after `timeout` seconds."""
        timeout *= SLOW
        deadline = time.monotonic() + timeout
        seen: Any = None
        while True:
            try:
                seen = look()
                if good(seen):
                    return seen
            except (AssertionError, OSError, KeyError, IndexError) as error:
                seen = error
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{what or 'this'} did not come true in {timeout:.0f} s; last seen: "
                    f"{str(seen)[:3000]}\n{self._sight()}"
                )
            time.sleep(0.15)

    def _sight(self) -> str:
        """Pods, events and logs, for a failure's message."""
        try:
            seen = self.run("get", "pods,events", "-A", "-o", "wide", timeout=20)
        except subprocess.TimeoutExpired:
            return f"kubectl get does not return\n{self.logs()}"
        return f"{seen.stdout[-8000:]}{seen.stderr[-500:]}\n{self.logs()}"

    def fetch(self, url: str, data: bytes | None = None, timeout: float = 20, **headers: str) -> str:
        """The text behind an address, from this cluster's network."""
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=timeout) as answer:
            text: str = answer.read().decode()
        return text


def _text(output: bytes | str | None) -> str:
    """What a command that was ended had printed: bytes, whatever was asked for."""
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
