"""An API server whose event loop hangs."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT

HANGS = """
import asyncio, time
from apiserver.server import say_alive

async def main():
    alive = asyncio.create_task(say_alive(0.5))
    await asyncio.sleep(0)
    time.sleep(600)

asyncio.run(main())
"""
TURNS = """
import asyncio, time
from apiserver.server import say_alive

async def main():
    alive = asyncio.create_task(say_alive(600))
    await asyncio.sleep(0)
    alive.cancel()

asyncio.run(main())
print("ended well")
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=100)


def test_it_ends_and_says_where_it_stood() -> None:
    done = run(HANGS)
    assert done.returncode == 1 and "in main" in done.stderr and "Timeout" in done.stderr


def test_one_that_turns_goes_on() -> None:
    done = run(TURNS)
    assert (done.returncode, done.stdout) == (0, "ended well\n"), done.stderr
