"""Workers as Celery's own command starts them: they answer, share the work, and take over from each other."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

import environment as settings
from cluster.cache import Cache
from cluster.database import Database
from cluster.store import Key, Store
from cluster.verbs import Session
from config import installation, pki
from config.processes import worker_options
from tests.controllers.conftest import RedisServer
from tests.ports import free_port
from tests.scheduler import build
from tests.scheduler.test_service import put_nodes

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]
ROOT = Path(__file__).resolve().parents[2]
CELERY = (sys.executable, "-m", "celery", "-A", "config")


class Crew:
    """A database, a Redis, and workers, with nothing in their environment but the state folder."""

    def __init__(self, var: Path) -> None:
        self.var = var
        (var / "run").mkdir()
        pki.make_all(var / "pki", node="a", addresses=["127.0.0.1"])
        installation.load(var, free_port(), free_port())
        self.server = RedisServer(var / "run")
        self.redis: Redis = self.server.client()
        self.store = Store(Database(f"sqlite:///{var}/cluster.db"))
        self.cache = Cache(self.store)
        self.cache.start()
        self.session = Session(1, "system:admin", self.cache, self.store)
        self.environment = {"BINNACLE_VAR": str(var), "PATH": settings.PATH.get(), "HOME": str(var), "TZ": "UTC"}
        self._log = open(var / "workers.log", "ab")  # noqa: SIM115
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        self._running.append(
            subprocess.Popen(words, cwd=ROOT, env=self.environment, stdout=self._log, stderr=self._log)
        )
        return self._running[-1]

    def ask(self, *words: str) -> str:
        """What a command of Celery's prints."""
        done = subprocess.run(
            [*CELERY, *words], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60
        )
        return done.stdout + done.stderr

    def until(self, check: Callable[[], Any], what: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < deadline, f"{what}: not in {seconds} s\n{(self.var / 'workers.log').read_text()}"
            time.sleep(0.05)

    def namespaces(self, *names: str) -> None:
        """Make them; what the controllers then make is a service account in each."""
        for name in names:
            self.session.create("namespaces", "", {"metadata": {"name": name}})

    def served(self, *names: str) -> bool:
        self.cache.refresh()
        return all(self.cache.get(Key("serviceaccounts", name, "default")) for name in names)

    def bound(self, name: str) -> bool:
        self.cache.refresh()
        entry = self.cache.get(Key("pods", "default", name))
        return entry is not None and bool(entry.node)

    def pod(self, name: str) -> None:
        pod = build.pod(name, tolerations=[{"operator": "Exists"}])
        del pod["metadata"]["uid"]
        self.session.create("pods", "default", pod)

    def leader(self, name: str) -> int:
        """The process that leads, 0 for none."""
        holder = self.redis.get(f"binnacle:lead:{name}")
        return int(str(holder).split(":")[1]) if holder else 0

    def who_leads(self, name: str) -> int:
        """The process that leads, as soon as one does: pid 0 would be all processes of this test."""
        found: list[int] = []
        self.until(lambda: (pid := self.leader(name)) and found.append(pid) is None, f"{name} is led")
        return found[0]

    def close(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()
        self.cache.close()
        self.store.close()
        self.server.kill()
        self._log.close()


@pytest.fixture(scope="module")
def crew(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    var = tmp_path_factory.mktemp("crew") / "var"
    shutil.copytree(migrated, var)
    made = Crew(var)
    yield made
    made.close()


def test_the_supervisors_workers_and_those_of_celerys_command_answer(crew: Crew) -> None:
    for role in ("controllers", "scheduler"):
        crew.start(sys.executable, "-m", "config.worker", *worker_options(role))
        crew.start(*CELERY, "worker", "-Q", role, "-n", f"{role}-2@%h")
    crew.until(lambda: crew.leader("feeder:controllers") and crew.leader("scheduler"), "both roles are led")
    crew.namespaces("default")
    crew.until(lambda: crew.served("default"), "the controllers work")
    crew.until(lambda: crew.ask("status").count("OK") == 4, "four workers are online")
    assert crew.ask("inspect", "ping").count("pong") == 4
    assert crew.ask("inspect", "registered").count("controllers.drain") == 4


def test_a_drain_is_an_active_task(crew: Crew) -> None:
    """A look sees one moment: it is repeated, with something to drain all the while."""
    numbers, seen = itertools.count(), threading.Event()

    def keep_busy() -> None:
        while not seen.wait(0.05):
            crew.namespaces(f"seen-{next(numbers)}")

    with ThreadPoolExecutor(1) as working:
        done = working.submit(keep_busy)
        try:
            crew.until(lambda: "'name': 'controllers.drain'" in crew.ask("inspect", "active"), "a drain is seen")
        finally:
            seen.set()
        done.result()


def test_the_second_works_on_while_the_first_is_stopped(crew: Crew) -> None:
    first = crew.who_leads("feeder:controllers")
    stop_between_writes(crew, first)
    try:
        crew.namespaces("stopped")
        crew.until(lambda: crew.served("stopped"), "the second reconciles")
        assert crew.who_leads("feeder:controllers") != first
    finally:
        os.kill(first, signal.SIGCONT)
    crew.namespaces("both")
    crew.until(lambda: crew.served("both"), "both go on")


def test_killed_in_the_midst_of_work_nothing_is_lost(crew: Crew) -> None:
    put_nodes(crew.session, build.node("a"))
    names = [f"n{number}" for number in range(40)]
    crew.namespaces(*names[:20])
    kill(crew, "feeder:controllers")
    crew.namespaces(*names[20:])
    crew.pod("one")
    kill(crew, "scheduler")
    crew.pod("two")
    crew.until(lambda: crew.served(*names), "every namespace has its account")
    crew.until(lambda: crew.bound("one") and crew.bound("two"), "the pods are bound")
    assert crew.who_leads("feeder:controllers") and crew.who_leads("scheduler")


def test_told_to_end_a_worker_ends_in_order(crew: Crew) -> None:
    for process in crew._running:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    assert not crew.redis.keys("binnacle:worker:*") and not crew.redis.keys("binnacle:lead:*")
    assert not crew.redis.keys("binnacle:queue:*:processing")


def stop_between_writes(crew: Crew, pid: int) -> None:
    """SIGSTOP; a process that is stopped within a transaction of SQLite would keep all others from writing."""

    def stopped() -> bool:
        os.kill(pid, signal.SIGSTOP)
        try:
            with contextlib.closing(sqlite3.connect(crew.var / "cluster.db", timeout=1)) as database:
                database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            os.kill(pid, signal.SIGCONT)
            return False
        return True

    crew.until(stopped, "it is stopped between two writes")


def kill(crew: Crew, lead: str) -> None:
    """The process that leads; there is another that can."""
    victim = crew.who_leads(lead)
    process = next(process for process in crew._running if process.pid == victim)
    process.kill()
    process.wait()
    crew.until(lambda: crew.leader(lead) not in (0, victim), "another leads")
