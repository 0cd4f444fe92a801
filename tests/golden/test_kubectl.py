"""What the real kubectl says to a cluster with three simulated nodes, against recordings of the real control plane.

The recordings are not part of the project: `../shared/golden/kubectl`, or the folder that BINNACLE_GOLDEN names. Scenarios
that pass are listed in `kubectl-passing.txt`, and none of them may be lost again.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import environment
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import ROOT_USER, made
from tests.e2e.machine import ROOT

GOLDEN = ROOT / environment.GOLDEN.get() / "kubectl"
PASSING = Path(__file__).with_name("kubectl-passing.txt")
RESULT = ROOT / "build" / "golden-kubectl.json"
SCENARIOS = sorted(path.parent for path in GOLDEN.glob("scenarios/*/scenario.json"))

pytestmark = [
    pytest.mark.serial,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not SCENARIOS, reason=f"the recordings are not on this machine: {GOLDEN}"),
]


@pytest.fixture(scope="module")
def replay() -> ModuleType:
    """The recordings' own program."""
    spec = importlib.util.spec_from_file_location("golden_replay", GOLDEN / "replay.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # Its rules take a random number that happens to have only the digits of generated names (one in 35) for a hash, and
    # then do not know the name of the file that kubectl wrote for the editor: that name goes first.
    module.RULES.insert(0, (re.compile(r"\S*kubectl-edit-\d+\.yaml"), "kubectl-edit-<rand>.yaml"))
    return module


@pytest.fixture(scope="module")
def control_plane() -> Iterator[Cluster]:
    """A control plane without this machine's node and without addons, and three nodes that are played."""
    with made("root" if ROOT_USER else "user", BINNACLE_WITHOUT="kubelet,kubeproxy") as cluster:
        cluster.up()
        cluster.until(lambda: without_addons(cluster), what="no addon is left")
        cluster.kubectl("apply", "-f", str(GOLDEN / "cluster" / "nodes.yaml"))
        command = [
            sys.executable,
            "-m",
            "kubelet.simulate",
            "--kubeconfig",
            f"{cluster.var}/kubeconfig",
            "--adopt-label",
            "sim=true",
        ]
        simulator = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            cluster.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=120s")
            yield cluster
        finally:
            simulator.kill()
            simulator.wait(10)


def without_addons(cluster: Cluster) -> bool:
    """Switch every addon off; whether nothing of them is left."""
    names = cluster.kubectl("-n", "kube-system", "get", "configmaps", "-o", "name").split()
    addons = [name for name in names if name.startswith("configmap/addon-")]
    for name in addons:
        cluster.kubectl("-n", "kube-system", "patch", name, "-p", '{"data": {"enabled": "false"}}')
    return bool(addons) and not cluster.get("pods,deployments,daemonsets", "-A")["items"]


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Any]]:
    """Scenario -> its failures; written down at the end."""
    found: dict[str, Any] = {}
    yield found
    passed = sorted(name for name, failures in found.items() if not failures)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps(
            {
                "passed": len(passed),
                "of": len(found),
                "scenarios": passed,
                "failures": {name: f for name, f in sorted(found.items()) if f},
            },
            indent=1,
        )
        + "\n"
    )


@pytest.mark.parametrize("number", [1174990827, 2245678942], ids=["plain", "like-a-hash"])
def test_an_edited_file_is_known_by_any_number(number: int, replay: ModuleType) -> None:
    text = f'stored to "/tmp/kubectl-edit-{number}.yaml"\n'
    assert replay.normalise(text, {"mask": [["kubectl-edit.*", "<file>"]]}) == "stored to <file>\n"


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)
def test_scenario(folder: Path, control_plane: Cluster, replay: ModuleType, results: dict[str, Any]) -> None:
    def play() -> Any:
        return replay.run_scenario(folder, f"{control_plane.var}/kubeconfig", cache=f"{control_plane.folder}/cache")

    passed = folder.name in PASSING.read_text().split()
    failures = play()
    if failures and passed:  # some steps have two seconds, which a machine with other work may stand still
        failures = play()
    results[folder.name] = failures
    if failures and not passed:
        pytest.xfail(f"{len(failures)} steps differ, as before")
    assert not failures, "\n\n".join(failures)
