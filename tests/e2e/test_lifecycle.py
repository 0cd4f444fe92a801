"""Start, stop, start again, and what is said when that cannot be."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e import machine
from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]
POD = """
apiVersion: v1
kind: Pod
metadata: {name: keeper}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: keeper, image: host, command: [sleep, "1000"]}]
"""


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """One sentence on stderr, with these words, a failing exit status, and nothing else."""
    sentence = done.stderr.strip()
    assert done.returncode not in (0, None), done
    assert sentence.startswith("binnacle: ") and "\n" not in sentence and "Traceback" not in sentence, done.stderr
    assert all(word in sentence for word in words), sentence


def test_a_life(stopped: Cluster) -> None:
    """Everything on one cluster, because starts take their time."""
    cluster = stopped
    assert cluster.config("status").returncode == 3
    cluster.up()
    cluster.kubectl("-n", "kube-system", "patch", "configmap", "addon-dns", "-p", '{"data": {"ttl": "6"}}')
    cluster.kubectl("apply", "-f", "-", stdin=POD)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/keeper", "--timeout=120s")
    told_while_running(cluster)

    revision, uid = cluster.path("pod/keeper", "{.metadata.resourceVersion} {.metadata.uid}").split()
    assert "Stopped" in cluster.down()
    assert not cluster.leftovers(), "processes outlive `down`"
    assert cluster.config("status").returncode == 3
    assert "not running" in cluster.down()

    since = time.monotonic()
    two_at_once(cluster)
    again = time.monotonic() - since
    assert cluster.path("pod/keeper", "{.metadata.uid}") == uid
    cluster.until(
        lambda: cluster.path("pod/keeper", "{.status.containerStatuses[0].restartCount}"),
        lambda count: int(count) >= 1,
        timeout=30,
        what="the pod runs again and says that it was restarted",
    )
    cluster.kubectl("wait", "--for=condition=Ready", "pod/keeper", "--timeout=120s")
    assert int(cluster.path("pod/keeper", "{.metadata.resourceVersion}")) > int(revision)
    print(f"second start: {again:.1f} s")

    assert cluster.config("clean").returncode == 0
    assert not cluster.var.exists() and not cluster.leftovers()
    assert "holds no Binnacle cluster" in clean_of_something_else(cluster)


def two_at_once(cluster: Cluster) -> None:
    """Somebody is impatient: one starts the cluster, the other waits for that."""
    with ThreadPoolExecutor(2) as both:
        starts = list(both.map(lambda _: cluster.config("up", "--detach"), range(2)))
    told = "\n".join(done.stdout + done.stderr for done in starts)
    assert [done.returncode for done in starts] == [0, 0], f"{told}\n{cluster.state()}"
    assert [("already running" in done.stdout) for done in starts].count(True) == 1, told


def told_while_running(cluster: Cluster) -> None:
    status = cluster.config("status")
    for name in ("redis", "apiserver", "controllers", "scheduler", "kubelet", "kubeproxy"):
        assert re.search(rf"^{name} +RUNNING +\d+ MiB", status.stdout, re.M), status.stdout
    assert status.returncode == 0 and re.search("^node +Ready", status.stdout, re.M), status.stdout
    twice = cluster.config("up", "--detach")
    assert twice.returncode == 0 and "already running" in twice.stdout
    refused(cluster.config("up", "--detach", BINNACLE_VAR=str(cluster.folder / "home" / "other")), "in use", "PORT=")


def clean_of_something_else(cluster: Cluster) -> str:
    other = cluster.folder / "precious"
    other.mkdir(mode=0o755)
    done = cluster.config("clean", BINNACLE_VAR=str(other))
    refused(done)
    assert other.exists()
    return done.stderr


def test_a_port_in_use_is_named(stopped: Cluster) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        for variable in ("PORT", "API_PORT"):
            refused(stopped.config("up", "--detach", **{variable: str(port)}), str(port), "in use", f"{variable}=")
    assert not stopped.leftovers(0), "something was half started"


def test_a_port_that_is_no_port(stopped: Cluster) -> None:
    refused(stopped.config("up", "--detach", PORT="http"), "PORT", "http")
    refused(stopped.config("up", "--detach", API_PORT="70000"), "API_PORT", "70000")
    assert not stopped.leftovers(0)


def test_a_path_too_long_for_sockets(stopped: Cluster) -> None:
    refused(stopped.config("up", "--detach", BINNACLE_VAR=str(stopped.home / ("deep" * 25))), "too long", "VAR=")
    assert not stopped.leftovers(0)


def test_a_folder_that_cannot_be_written(stopped: Cluster) -> None:
    folder = stopped.folder / "closed"
    if stopped.ordinary:
        folder.mkdir(mode=0o555)
        if os.geteuid() == 0:
            os.chown(folder, 0, 0)
    else:
        folder.write_text("no folder at all")  # root may write into any folder
    refused(stopped.config("up", "--detach", BINNACLE_VAR=str(folder / "var")), "cannot be written", "VAR=")
    assert not stopped.leftovers(0)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://host/name", "give sqlite:///PATH or postgresql://"),
        ("postgresql://nobody@127.0.0.1:1/none", "refused"),
    ],
)
def test_a_database_that_is_not_there(stopped: Cluster, url: str, reason: str) -> None:
    refused(stopped.config("up", "--detach", DATABASE_URL=url), "DATABASE_URL", reason)
    assert not stopped.leftovers(0)


def test_the_database_is_that_of_the_first_start(stopped: Cluster) -> None:
    stopped.var.mkdir(exist_ok=True)
    kept = {"privileged": os.geteuid() == 0 and not stopped.ordinary, "slot": 1, "database": "postgresql"}
    config, migrated = stopped.var / "config.json", stopped.var / "migrated"
    config.write_text(json.dumps(kept))
    migrated.write_text("")
    if stopped.prefix:
        for path in (stopped.var, config, migrated):
            os.chown(path, machine.USER, machine.USER)
    refused(stopped.config("up", "--detach"), "postgresql", "DATABASE_URL", "VAR=")
    assert not stopped.leftovers(0)


def test_a_state_folder_of_another_kind_of_user(stopped: Cluster) -> None:
    stopped.var.mkdir()
    made_by = "false" if os.geteuid() == 0 and not stopped.ordinary else "true"
    (stopped.var / "config.json").write_text(f'{{"privileged": {made_by}, "slot": 1}}')
    if stopped.prefix:
        for path in (stopped.var, stopped.var / "config.json"):
            os.chown(path, machine.USER, machine.USER)
    refused(stopped.config("up", "--detach"), "root", "ordinary user", "VAR=")
    assert not stopped.leftovers(0)


def test_a_python_too_old_is_told(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\ncase "$*" in *version_info*) exit 1;; *) echo Python 3.8.1;; esac\n')
    old.chmod(0o755)
    for name in ("Makefile", "requirements.txt"):
        (tmp_path / name).write_text((machine.ROOT / name).read_text())
    done = subprocess.run(
        ["make", "-s", "up", f"PYTHON={old}", f"VAR={tmp_path}/var"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0 and "needs Python 3.11 or newer" in done.stderr and "3.8.1" in done.stderr, done
    assert not (tmp_path / ".venv").exists() and not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("given", "wanted"), [("var", f"{machine.ROOT}/var"), ("/srv/a b", "/srv/a b"), ("a b", f"{machine.ROOT}/a b")]
)
def test_the_state_folder_may_have_blanks_in_its_name(given: str, wanted: str) -> None:
    done = subprocess.run(
        # Below another make, as in CI, it would say which folder it enters.
        ["make", "-s", "--no-print-directory", "--eval", 'show:; @echo "$$BINNACLE_VAR"', "show", f"VAR={given}"],
        cwd=machine.ROOT,
        text=True,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.strip() == wanted, done
