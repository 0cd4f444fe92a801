"""When `make up` says that the cluster is up: against an API that has come only so far."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from addons.catalogue import catalogue
from addons.state import STATE
from cluster.admission.chain import default_chain
from config import up
from config.installation import Installation
from config.preflight import Refused
from kube.objects import Json

CONFIGMAPS = "/api/v1/namespaces/kube-system/configmaps"
ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


def config(name: str, **annotations: str) -> Json:
    return {"metadata": {"name": f"addon-{name}", "annotations": annotations}}


class Api:
    """What the API answers by path; `turns` of ConfigMaps are given one after another, the last one again and again."""

    def __init__(self, at: Installation) -> None:
        later = "2999-01-01T00:00:00+00:00"
        self.answers: dict[str, Json] = {
            f"/api/v1/nodes/{at.node}": {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{at.node}": {"spec": {"renewTime": later}},
            "/api/v1/namespaces/default": {},
            ACCOUNT: {},
        }
        self.turns: list[list[Json]] = [[config(name, **{STATE: "rolling out"}) for name in catalogue()]]

    def get(self, at: Installation, token: str, path: str) -> Json:
        if path == CONFIGMAPS:
            return {"items": self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]}
        if path not in self.answers:
            raise OSError("not found")
        return self.answers[path]


@pytest.fixture
def at(tmp_path: Path) -> Installation:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "tokens.csv").write_text("secret,admin,admin,system:masters\n")
    return Installation(str(tmp_path), 8080, 6443, 10250, 1, "here", False)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """Stands in for the supervisor."""
    with subprocess.Popen(["sleep", "1000"]) as made:
        yield made
        made.kill()


@pytest.fixture
def api(at: Installation, monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api(at)
    monkeypatch.setattr(up, "_get", made.get)
    monkeypatch.setattr(up, "READY_TIMEOUT", 60.0)
    return made


def test_it_is_up_when_the_manager_has_been_through_all_addons(
    at: Installation, child: subprocess.Popen[bytes], api: Api
) -> None:
    *some, last = catalogue()
    done = [config(name, **{STATE: "healthy"}) for name in some]
    api.turns = [[], done, [*done, config(last)], [*done, config(last, **{STATE: "rolling out"})]]
    up.wait_ready(at, child)
    assert len(api.turns) == 1, "it waited for the last of them"


def test_what_is_still_missing_in_the_end_is_named(
    at: Installation, child: subprocess.Popen[bytes], api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "READY_TIMEOUT", 0.5)
    api.turns = [[config(name, **{STATE: "off"}) for name in catalogue() if name != "dns"]]
    with pytest.raises(Refused, match="the addon manager has not come to dns yet; see the logs in "):
        up.wait_ready(at, child)


def test_what_is_left_out_is_not_waited_for(
    at: Installation, child: subprocess.Popen[bytes], api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.turns = [[]]
    api.answers = {"/api/v1/namespaces/default": {}}
    monkeypatch.setenv("BINNACLE_WITHOUT", "kubelet,controllers")
    up.wait_ready(at, child)


def test_a_bad_admission_configuration_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BINNACLE_ADMISSION_CONFIG", str(tmp_path / "gone.yaml"))
    default_chain.cache_clear()
    with pytest.raises(ValueError, match=r"gone\.yaml: No such file"):
        up.up(tmp_path / "var", detach=True)
    assert not (tmp_path / "var").exists()
