"""The state folder is nobody else's to read, whatever it was before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config import preflight
from config.preflight import Refused, check_folder


def modes(var: Path) -> dict[str, int]:
    return {str(path.relative_to(var)): path.stat().st_mode & 0o777 for path in (var, *var.rglob("*"))}


def test_what_is_open_is_closed(tmp_path: Path) -> None:
    var = tmp_path / "var"
    for folder in (var, var / "pki", var / "kubelet"):
        folder.mkdir(mode=0o755)
    for name in ("pki/ca.key", "pki/tokens.csv", "kubeconfig", "kubelet/kubeconfig", "cluster.db", "cluster.db-wal"):
        (var / name).write_text("secret")
        (var / name).chmod(0o644)
    check_folder(var)
    found = modes(var)
    assert {found[name] for name in (".", "run", "log", "pki")} == {0o700}
    for name in ("pki/ca.key", "pki/tokens.csv", "kubeconfig", "kubelet/kubeconfig", "cluster.db", "cluster.db-wal"):
        assert found[name] == 0o600, name


def test_a_new_folder_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        check_folder(tmp_path / "var")
    finally:
        os.umask(before)
    assert set(modes(tmp_path / "var").values()) == {0o700}


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.os, "geteuid", lambda: 4711)
    with pytest.raises(Refused, match=r"belongs to the user .*chown -R.*VAR=…"):
        check_folder(tmp_path)


def test_a_file_system_that_keeps_no_modes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "var").mkdir(mode=0o755)
    monkeypatch.setattr(Path, "chmod", lambda self, mode: None)
    with pytest.raises(Refused, match="stays open to others"):
        check_folder(tmp_path / "var")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot be written"):
        check_folder(tmp_path / "file" / "var")
