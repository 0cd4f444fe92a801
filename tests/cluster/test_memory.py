"""What a process does with its memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Blocks of some hundred KiB, each with small ones behind it that stay: what a server with kept connections looks like.
CHURN = """
from pathlib import Path
from cluster import memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 // 1024

memory.give_back()
bytearray(24 << 20)  # freed at once: from now on glibc takes such blocks from its heap
before, kept = resident(), []
large = []
for _ in range(200):
    large.append(bytearray(400_000))
    kept.append(bytearray(2000))
del large
print(resident() - before)
"""


def test_large_blocks_go_back_to_the_system() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", CHURN], cwd=root, capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 12, f"{done.stdout} MiB of 80 are kept"
