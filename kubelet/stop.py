"""`python -m kubelet.stop --root-dir D`: ends all pods of a node agent that does not run any more, and removes their
network and control groups."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from kubelet.runtimes.process.cgroups import Cgroups
from kubelet.runtimes.process.network import Network, digest
from kubelet.runtimes.process.records import Records
from kubelet.runtimes.process.shimclient import call


async def stop(root: Path) -> int:
    """Kills every pod's processes and removes the pod network; how many pods there were."""
    records, count = Records(root), 0
    # Twice: a pod may just have been starting when the kubelet was ended.
    for _ in range(2):
        count += await _stop_all(records)
        await asyncio.sleep(0.2)
    await Network.remove(f"bn{digest(str(root), 8)}")
    if os.geteuid() == 0:
        Cgroups(f"binnacle-{digest(str(root), 8)}", pids_limit=0).remove_all()
    return count


async def _stop_all(records: Records) -> int:
    alive = [uid for uid in records.uids() if records.alive(uid) is not None]
    results = await asyncio.gather(
        *(call(str(records.directory(uid)), {"op": "stop"}) for uid in alive), return_exceptions=True
    )
    for uid, result in zip(alive, results, strict=True):
        if isinstance(result, BaseException):
            print(f"pod {uid}: {result}")
    return len(alive)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root-dir", required=True, type=Path)
    root = parser.parse_args().root_dir.absolute()
    if (root / "pods").is_dir():
        print(f"{asyncio.run(stop(root))} pods stopped")


if __name__ == "__main__":
    main()
