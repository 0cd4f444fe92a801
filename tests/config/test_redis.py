"""The installation's own key-value server: nobody without its password, nothing dangerous with it, all that we need."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from redis import AuthenticationError, Redis, RedisError
from redis.exceptions import NoPermissionError

import environment
from client import keyvalue
from cluster import hints
from config import orphans, processes, redis
from config.installation import Installation
from controllers import workqueue


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder that is prepared; the environment is that of its processes."""
    for name in ("run", "pki"):
        (tmp_path / name).mkdir()
    redis.prepare(tmp_path)
    for name, value in at(tmp_path).environment().items():
        monkeypatch.setenv(name, value)
    return tmp_path


def at(var: Path) -> Installation:
    return Installation(str(var), 8080, 6443, 10250, 0, "n1", False)


@pytest.fixture
def server(var: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process as the supervisor starts it."""
    [process] = [one for one in processes.processes(at(var)) if one.name == "redis"]
    assert read_password(var) not in " ".join(process.command)
    with subprocess.Popen(process.command, stdout=subprocess.DEVNULL) as child:
        deadline = time.monotonic() + 60
        while True:
            try:
                hints.connect(1).ping()
                break
            except RedisError:
                assert time.monotonic() < deadline and child.poll() is None
                time.sleep(0.02)
        yield child
        child.terminate()


def read_password(var: Path) -> str:
    return keyvalue.password_file(redis.socket(var)).read_text()


def test_files_are_the_owners_alone_and_keep_the_password(var: Path) -> None:
    before = read_password(var)
    redis.prepare(var)
    assert read_password(var) == before and len(before) > 40
    assert before not in redis.config_file(var).read_text()
    for path in (redis.config_file(var), keyvalue.password_file(redis.socket(var))):
        assert path.stat().st_mode & 0o777 == 0o600


def test_nobody_without_the_password(var: Path, server: subprocess.Popen[bytes]) -> None:
    assert redis.socket(var).stat().st_mode & 0o777 == 0o600
    for url in (f"unix://{redis.socket(var)}", f"unix://:wrong@{redis.socket(var)}"):
        with pytest.raises(AuthenticationError):
            Redis.from_url(url).ping()
    words = (Path(f"/proc/{server.pid}") / "cmdline").read_bytes() + (
        Path(f"/proc/{server.pid}") / "environ"
    ).read_bytes()
    assert read_password(var).encode() not in words


def test_no_variable_that_pods_inherit_has_the_password(var: Path) -> None:
    assert read_password(var) in keyvalue.address()
    assert read_password(var) not in str(environment.passed_on()) + processes.supervisor_config(at(var))


@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "FLUSHDB",
        "KEYS *",
        "CONFIG GET dir",
        "CONFIG SET dir /tmp",
        "SHUTDOWN NOSAVE",
        "ACL LIST",
        "ACL SETUSER default nopass",
        "MONITOR",
        "REPLICAOF a 1",
        "CLIENT LIST",
        "CLIENT KILL ID 1",
        "MODULE LIST",
        "SAVE",
        "BGSAVE",
        "SORT x",
        "SWAPDB 0 1",
        "MIGRATE a 1 b 0 5",
        "FUNCTION LIST",
        "SCRIPT FLUSH",
    ],
)
def test_nothing_dangerous_even_with_it(server: subprocess.Popen[bytes], command: str) -> None:
    client = workqueue.connect()
    with pytest.raises(NoPermissionError):
        client.execute_command(*command.split())
    arguments = ", ".join(f"'{word}'" for word in command.split())
    if command.split()[0] in ("FLUSHALL", "KEYS", "SAVE", "CONFIG"):
        with pytest.raises(RedisError):
            client.eval(f"return redis.call({arguments})", 0)


def test_queues_hints_and_celery_have_what_they_need(
    var: Path, server: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = workqueue.connect()
    queue = workqueue.WorkQueue(client, "1:test", "worker")
    assert queue.add(["a", "b"]).added == 2
    batch = queue.get(5)
    queue.done(batch.token, [workqueue.Outcome(taken.key) for taken in batch.items])
    workqueue.hold_lease(client, "worker", 5)
    assert workqueue.workers(client) == {"worker"} and workqueue.recover(client, "worker", [queue]) == [0]
    assert client.info("server")["run_id"]
    listener = hints.connect(5).pubsub()
    listener.subscribe(hints.channel(1))
    monkeypatch.setattr(hints, "_local", type("Local", (), {})())
    hints.publish(1, 7)
    told = [listener.get_message(timeout=5), listener.get_message(timeout=5)]
    assert told[1]["data"] == b"7"
    app = Celery(broker=keyvalue.address().replace("unix://", "redis+socket://", 1), fixups=[])
    with app.connection_for_write() as connection:
        waiting = connection.SimpleQueue("controllers")
        waiting.put({"key": 1})
        assert waiting.get(timeout=5).payload == {"key": 1}
        waiting.close()
        assert read_password(var) not in connection.as_uri()
    assert app.control.inspect(timeout=0.2).active() is None


def test_one_that_its_supervisor_left_is_found(var: Path, server: subprocess.Popen[bytes]) -> None:
    assert orphans.find(var) == [server.pid]
    assert orphans.end(var) == 1
    server.wait(60)


def test_somebody_elses_server_is_called_as_its_url_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (
        "",
        "redis://:p@host:1/0",
        f"unix://{tmp_path}/x/redis.sock",
        f"unix://u:p@{tmp_path}/run/redis.sock?db=2",
    ):
        monkeypatch.setenv("BINNACLE_REDIS", url)
        assert keyvalue.address() == url


def test_it_is_of_a_line_that_is_maintained() -> None:
    told = subprocess.run(
        [keyvalue.server(), "--version"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert int(told.partition("v=")[2].partition(".")[0]) >= 9
    assert os.access(keyvalue.server(), os.X_OK)
