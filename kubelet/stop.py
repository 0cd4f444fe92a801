"""`python -m kubelet.stop --root-dir D`: ends all pods of a node agent that does not run any more, and removes their
network and control groups."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from pathlib import Path

from kubelet.runtimes.process.cgroups import Cgroups
from kubelet.runtimes.process.network import Network, digest
from kubelet.runtimes.process.records import Records
from kubelet.runtimes.process.shimclient import call

PATIENCE = 5.0  # seconds for pods that were just starting, and for the holders of pods to end


async def stop(root: Path) -> int:
    """Kills every pod's processes and removes the pod network; how many pods there were."""
    records, count = Records(root), 0
    # Again and again: a pod may just have been starting when the kubelet was ended.
    deadline = time.monotonic() + PATIENCE
    while True:
        alive = [uid for uid in records.uids() if records.alive(uid) is not None]
        calls = [call(str(records.directory(uid)), {"op": "stop"}) for uid in alive]
        for uid, result in zip(alive, await asyncio.gather(*calls, return_exceptions=True), strict=True):
            if isinstance(result, BaseException):
                print(f"pod {uid}: {result}")
        count += len(alive)
        await asyncio.sleep(0.1)
        if not (left := shims(records.pods)) or time.monotonic() > deadline:
            break
    for pid in left:
        print(f"process {pid}, which holds a pod, did not end when asked: killed")
        os.kill(pid, signal.SIGKILL)
    await Network.remove(f"bn{digest(str(root), 8)}")
    if os.geteuid() == 0:
        Cgroups(f"binnacle-{digest(str(root), 8)}", pids_limit=0).remove_all()
    return count


def shims(pods: Path) -> list[int]:
    """Process ids of the living holders of pods below a folder; they work in their pod's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if (
                entry.name.isdigit()
                and b"kubelet/shim/zygote.py" in (entry / "cmdline").read_bytes()
                and (os.readlink(entry / "cwd").startswith(f"{pods}/"))
            ):
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root-dir", required=True, type=Path)
    root = parser.parse_args().root_dir.absolute()
    if (root / "pods").is_dir():
        print(f"{asyncio.run(stop(root))} pods stopped")


if __name__ == "__main__":
    main()
