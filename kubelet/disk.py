"""Trees of files that pods made: how large they are, and their end. A pod may nest them as deep as it likes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

MAX_ENTRIES = 5000  # of one folder that are added up: more would take too long


def disk_usage(folder: Path, limit: int = MAX_ENTRIES) -> int:
    """Bytes that the files below a folder take on the disk; of the first `limit` entries."""
    total, waiting = 0, [str(folder)]
    while waiting and limit > 0:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    limit -= 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue  # it went while we looked
    return total


def remove_tree(folder: Path) -> None:
    """Removes a folder and all below it, as far as that can be; what is gone already is well."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        subprocess.run(["rm", "-rf", "--", str(folder)], check=False, stderr=subprocess.DEVNULL)
