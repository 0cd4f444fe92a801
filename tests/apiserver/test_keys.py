"""Secrets of a server that runs: it follows a rotation, and says of which values it cannot be sure."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import keyring
from tests.apiserver.standalone import ROOT, Server

SECRETS = "/api/v1/namespaces/work/secrets"


@pytest.fixture
def var(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def server(var: Path) -> Iterator[Server]:
    with Server(var) as started:
        started.request("POST", "/api/v1/namespaces", {"metadata": {"name": "work"}})
        for name in ("a", "b", "c"):
            status, _ = started.request("POST", SECRETS, {"metadata": {"name": name}, "data": {"p": "b2xk"}})
            assert status == 201
        yield started


def rotate(var: Path, *options: str) -> str:
    command = [sys.executable, "manage.py", "rotate_keys", "--skip-checks", *options]
    env = {**os.environ, "BINNACLE_VAR": str(var), "DATABASE_URL": ""}
    return subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True, check=True, timeout=100).stdout


def test_a_server_that_runs_follows_a_rotation(server: Server, var: Path) -> None:
    ring = keyring.of(var)
    first = ring.newest()
    assert f"Dropped: {first.id.hex()}" in rotate(var, "--drop-old")
    assert server.request("POST", SECRETS, {"metadata": {"name": "d"}, "data": {"p": "bmV3"}})[0] == 201
    with sqlite3.connect(var / "cluster.db") as database:
        kept = database.execute("SELECT body FROM cluster_change WHERE storage = 'secrets'").fetchall()
    assert {body[1:9] for (body,) in kept} == {ring.newest().id} != {first.id}
    server.__exit__(None, None, None)
    with server:
        found = server.request("GET", SECRETS)[1]["items"]
        assert {secret["metadata"]["name"]: secret["data"]["p"] for secret in found} == {
            **dict.fromkeys("abc", "b2xk"),
            "d": "bmV3",
        }


def test_a_server_says_which_value_it_cannot_read_and_goes_on(server: Server, var: Path) -> None:
    server.__exit__(None, None, None)
    with sqlite3.connect(var / "cluster.db") as database:
        database.execute(
            "UPDATE cluster_change SET body = (SELECT body FROM cluster_change WHERE storage = 'secrets' AND name = 'b')"
            " WHERE storage = 'secrets' AND name = 'a'"
        )
    with server:
        status, answer = server.request("GET", f"{SECRETS}/a")
        assert status == 500 and answer["message"].startswith(
            "secrets work/a cannot be decrypted: its value was written"
        )
        change = {"metadata": {"name": "a"}, "data": {"p": "bmV3"}}
        assert server.request("PUT", f"{SECRETS}/a", change)[0] == 500
        items = {
            secret["metadata"]["name"]: secret.get("data") for secret in server.request("GET", SECRETS)[1]["items"]
        }
        assert items == {"a": None, "b": {"p": "b2xk"}, "c": {"p": "b2xk"}}
        assert server.request("DELETE", f"{SECRETS}/a")[0] == 200
        assert server.request("POST", SECRETS, change)[0] == 201
        assert server.request("GET", f"{SECRETS}/a")[1]["data"] == {"p": "bmV3"}
    assert "secrets work/a cannot be decrypted" in Path(server.log.name).read_text()
