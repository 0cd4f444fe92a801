"""The tests again and again, in random order, beside busy processes: `python -m tests.soak [RUNS] [arguments of pytest]`.

A test that leans on time or on its neighbours passes on a quiet machine and fails here. Each run shuffles the files and the
tests within each file by a number that it prints; `python -m pytest -p tests.soak --order NUMBER …` repeats that order.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
from contextlib import ExitStack

import pytest

BUSY = 2  # processes that do nothing but count, until whoever started them is gone
COUNT = "import os; parent = os.getppid()\nwhile os.getppid() == parent: sum(range(1_000_000))"
PARTS = (
    ("-n", "2", "--dist", "loadfile", "-m", "not serial", "--ignore", "tests/browser"),
    ("tests/browser",),
    ("-n", "2", "--dist", "loadfile", "-m", "serial", "--ignore", "tests/browser"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--order", type=int, required=True, help="the number that the random order comes from")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every xdist worker must find the same order, so it comes from the number alone; a file's tests stay together."""
    order = random.Random(config.getoption("--order"))
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.location[0], []).append(item)
    shuffled = list(files.values())
    order.shuffle(shuffled)
    for tests in shuffled:
        order.shuffle(tests)
    items[:] = [item for tests in shuffled for item in tests]


def soak(runs: int, arguments: list[str]) -> int:
    """The number of runs that failed. `arguments`: for pytest, instead of the whole suite's three parts."""
    failed = 0
    for number in range(1, runs + 1):
        order = str(random.SystemRandom().randrange(1_000_000))
        good = True
        for part in [arguments] if arguments else PARTS:
            command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.soak", "--order", order, *part]
            done = subprocess.run(command, capture_output=True, text=True)
            good = good and done.returncode == 0
            told = done.stdout if done.returncode else "\n".join(done.stdout.splitlines()[-1:])
            print(f"run {number} of {runs}, --order {order}, {' '.join(part)}:\n{told}{done.stderr}", flush=True)
        failed += not good
    return failed


def main() -> int:
    words = sys.argv[1:]
    runs = int(words.pop(0)) if words and re.fullmatch(r"\d+", words[0]) else 1
    with ExitStack() as stack:
        for _ in range(BUSY):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", COUNT]))
            stack.callback(process.kill)
        failed = soak(runs, words)
    print(f"{runs - failed} of {runs} runs passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
