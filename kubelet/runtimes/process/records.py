"""The runtime's files: one directory a pod, one a start of a container.  They outlive the kubelet.

<root>/pods/<uid>/  config.json (what was asked of the sandbox)  sandbox.json (its shim: pid, start ticks)  shim.sock
    containers/<name>/<attempt>/  config.json  state.json
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from kubelet.disk import remove_tree
from kubelet.runtimes.base import ContainerState, PodState
from kubelet.shim import files, procs

LOST = 137


class Records:
    """Reads and writes the files of one kubelet; blocking, but a few hundred bytes each."""

    def __init__(self, root: Path) -> None:
        self.pods = root / "pods"
        self.pods.mkdir(parents=True, exist_ok=True)

    def directory(self, uid: str) -> Path:
        return self.pods / uid

    def uids(self) -> list[str]:
        """Pods that have (or had) a sandbox; folders with nothing but volumes count too."""
        return [entry.name for entry in self.pods.iterdir() if entry.is_dir()]

    def sandbox(self, uid: str) -> dict[str, Any] | None:
        config: dict[str, Any] | None = files.read_json(str(self.directory(uid) / "config.json"))
        return config

    def alive(self, uid: str) -> int | None:
        """The pid of the pod's shim while that very process lives."""
        found = files.read_json(str(self.directory(uid) / "sandbox.json"))
        return found["pid"] if found and procs.alive(found["pid"], found["ticks"]) else None

    def folder(self, name: str, attempt: int) -> str:
        return f"containers/{name}/{attempt}"

    def starts(self, uid: str) -> list[tuple[str, int]]:
        """(container, attempt) of every start whose folder is kept."""
        base = self.directory(uid) / "containers"
        if not base.is_dir():
            return []
        return [
            (name.name, int(attempt.name))
            for name in base.iterdir()
            for attempt in name.iterdir()
            if attempt.name.isdigit()
        ]

    def first_process(self, uid: str, name: str, attempt: int) -> int:
        """The pid of a container's first process, 0 before it has one."""
        state = files.read_json(str(self.directory(uid) / self.folder(name, attempt) / "state.json"))
        return int((state or {}).get("pid") or 0)

    def container(self, uid: str, name: str, attempt: int, alive: bool) -> ContainerState | None:
        """What the shim wrote of a start; a start that its dead shim left unfinished is finished here."""
        folder = self.directory(uid) / self.folder(name, attempt)
        config, state = files.read_json(str(folder / "config.json")), files.read_json(str(folder / "state.json"))
        if config is None or (state is None and alive):
            return None
        if state is None or ("exitCode" not in state and not alive):
            now = time.time_ns()
            state = {"startedAt": now, **(state or {}), "exitCode": LOST, "finishedAt": now, "lost": True}
            procs.kill_leftovers(state.get("pid", 0), config["id"])
            files.write_json(str(folder / "state.json"), state)
        return _container_state(name, attempt, config, state)

    def pod(self, uid: str) -> PodState | None:
        sandbox = self.sandbox(uid)
        if sandbox is None:
            return None
        alive = self.alive(uid) is not None
        found = [self.container(uid, name, attempt, alive) for name, attempt in self.starts(uid)]
        kept = sorted((c for c in found if c is not None), key=lambda c: (c.name, c.attempt))
        ready = alive and not sandbox.get("preparing")
        return PodState(
            uid, sandbox["namespace"], sandbox["name"], ready, sandbox["address"], kept, sandbox["createdAt"]
        )

    def forget_container(self, uid: str, name: str, attempt: int) -> None:
        remove_tree(self.directory(uid) / self.folder(name, attempt))

    def forget(self, uid: str) -> None:
        remove_tree(self.directory(uid))


def _container_state(name: str, attempt: int, config: dict[str, Any], state: dict[str, Any]) -> ContainerState:
    finished = state.get("finishedAt")
    reason, message = "", ""
    if state.get("error"):
        reason, message = "StartError", state["error"]
    elif state.get("oomKilled"):
        reason = "OOMKilled"
    elif finished is not None:
        reason = "Completed" if state["exitCode"] == 0 else "Error"
    return ContainerState(
        name=name,
        attempt=attempt,
        id=config["id"],
        image=config["image"],
        started_at=state["startedAt"] / 1e9,
        finished_at=finished / 1e9 if finished is not None else None,
        exit_code=state.get("exitCode", 0),
        signal=state.get("signal", 0),
        reason=reason,
        message=message,
        log=config["log"],
    )
