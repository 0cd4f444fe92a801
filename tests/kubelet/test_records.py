"""What a kubelet believes of the files that an earlier one left."""

from __future__ import annotations

import os
from pathlib import Path

from kubelet.runtimes.process.records import Records
from kubelet.shim import files, procs


def found(root: Path, **more: object) -> bool:
    """Whether the pod of these files, whose shim is this very process, is ready for containers."""
    records = Records(root)
    folder = records.directory("u")
    folder.mkdir(exist_ok=True)
    config = {"namespace": "default", "name": "p", "address": "10.0.0.2", "createdAt": 1.0, **more}
    files.write_json(str(folder / "config.json"), config)
    files.write_json(str(folder / "sandbox.json"), {"pid": os.getpid(), "ticks": procs.started(os.getpid())})
    pod = records.pod("u")
    assert pod is not None
    return pod.ready


def test_a_sandbox_whose_making_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    assert found(tmp_path)
    assert not found(tmp_path, preparing=True)  # the kubelet died before the pod had its address
