"""The other clusters that run on this machine: two with the same address ranges would take each other's packets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def slots(var: Path, privileged: bool) -> dict[int, Path]:
    """The slots of the clusters that run now, each with its state folder; the one in `var` is left out, and those that are
    not `privileged` alike: root's and an ordinary user's have no addresses in common.

    Of a folder that this user may not read nothing is known.
    """
    found = {}
    for folder in _folders():
        try:
            kept = json.loads((folder / "config.json").read_text())
            slot, alike = kept["slot"], kept["privileged"] == privileged
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if alike and folder != var:
            found[slot] = folder
    return found


def _folders() -> Iterator[Path]:
    """The state folders of the supervisors that run."""
    for entry in PROC.iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
        except OSError:  # no process, or one that has ended
            continue
        if "supervisor.supervisord" in words and "-c" in words[:-1]:
            yield Path(words[words.index("-c") + 1]).parent
