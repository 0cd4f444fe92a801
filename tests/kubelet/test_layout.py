"""What images show of the machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from kubelet.runtimes.base import Mount
from kubelet.runtimes.process import images, layout
from kubelet.runtimes.process.launch import _link_volumes
from kubelet.runtimes.process.layout import Layouts, copy_readable


def tree(folder: Path) -> dict[str, str]:
    """Path to content, `-> text` for links and `/` for folders."""
    found = {}
    for path in folder.rglob("*"):
        text = f"-> {os.readlink(path)}" if path.is_symlink() else "/" if path.is_dir() else path.read_text()
        found[str(path.relative_to(folder))] = text
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    (made / "ssl/private").mkdir(parents=True)
    (made / "ssl/private").chmod(0o700)
    (made / "ssl/private/key").write_text("secret")
    (made / "ssl/cert").write_text("cert")
    (made / "shadow").write_text("secret")
    (made / "shadow").chmod(0o640)
    (made / "passwd").write_text("root")
    (made / "link").symlink_to("passwd")
    os.mkfifo(made / "pipe")
    return made


def test_only_what_everybody_may_read_is_copied(source: Path, tmp_path: Path) -> None:
    copy_readable(str(source), tmp_path / "copy")
    assert tree(tmp_path / "copy") == {"ssl": "/", "ssl/cert": "cert", "passwd": "root", "link": "-> passwd"}


def test_a_copy_follows_its_source(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy_readable(str(source), copy)
    unchanged = (copy / "ssl/cert").stat().st_ino
    with open(copy / "passwd") as old:
        (source / "passwd").write_text("root, and others")
        (source / "ssl/cert").chmod(0o600)  # no longer everybody's
        (source / "link").unlink()
        (source / "link").mkdir()
        (source / "new").write_text("new")
        assert unchanged
        copy_readable(str(source), copy)
        assert old.read() == "root", "who has it open reads on in the old one"
    assert tree(copy) == {"ssl": "/", "passwd": "root, and others", "link": "/", "new": "new"}


def test_what_is_the_same_is_not_written_again(source: Path, tmp_path: Path) -> None:
    copy_readable(str(source), tmp_path / "copy")
    before = {path: path.lstat() for path in (tmp_path / "copy").rglob("*")}
    copy_readable(str(source), tmp_path / "copy")
    assert {path: path.lstat() for path in (tmp_path / "copy").rglob("*")} == before


def test_an_image_has_programs_and_the_python_that_runs_us(tmp_path: Path) -> None:
    found = Layouts(tmp_path, []).of("host")
    targets = {target for _, target in found["binds"]} | {path for path, _ in found["links"]}
    assert {"/etc", "/usr", "/bin", sys.prefix} <= targets
    assert not any(source in ("/", "/root", "/home", "/var", "/run", "/tmp") for source, _ in found["binds"])
    assert not any(Path(target).is_relative_to(images.ROOT / "kubelet") for target in targets)
    ours = {target for _, target in Layouts(tmp_path, []).of("binnacle/dns")["binds"]}
    assert {str(images.ROOT / "kubelet"), str(images.ROOT / "logging")} <= ours and str(images.ROOT) not in ours
    assert str(images.ROOT / "var") not in ours and str(images.ROOT / ".git") not in ours


def test_the_state_is_hidden_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = Path("/usr/local/lib/cluster/var")
    assert Layouts(tmp_path, [state]).of("host")["hidden"] == [str(state)]
    # A folder of PATH that holds the state is not shown at all.
    (tmp_path / "opt/var").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{tmp_path}/opt:/usr/bin")
    binds = Layouts(tmp_path, [tmp_path / "opt/var"]).of("host")["binds"]
    assert str(tmp_path / "opt") not in {target for _, target in binds}
    assert str(tmp_path / "opt") in {target for _, target in Layouts(tmp_path, []).of("host")["binds"]}


def test_folders_of_path_in_homes_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/root/bin:/home/me/bin:/usr/bin:relative:/sbin:/srv/me/bin")
    monkeypatch.setattr(images, "_home", lambda uid: "/srv/me")
    assert images.program_folders() == ["/usr/bin", "/sbin"]
    for home in ("/", "/usr/sbin"):
        monkeypatch.setattr(images, "_home", lambda uid, home=home: home)
        assert images.program_folders() == ["/usr/bin", "/sbin", "/srv/me/bin"]
    assert images.environment("host", None, trusted=False)["PATH"].startswith("/usr/bin:/sbin")


def test_settings_are_for_the_clusters_own_programs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:secret@db/cluster")
    assert "DATABASE_URL" not in images.environment("binnacle/dashboard", None, trusted=False)
    assert "DATABASE_URL" not in images.environment("host", None, trusted=True)
    assert "DATABASE_URL" in images.environment("binnacle/dashboard", None, trusted=True)


def test_links_to_volumes_stay_below_the_containers_root(tmp_path: Path) -> None:
    """Where there are no mounts: a mountPath may say what it likes."""
    volume, folder = tmp_path / "volume", tmp_path / "state/pod/c"
    volume.mkdir()
    folder.mkdir(parents=True)
    targets = ["/data", "/../../../keys/evil", "/a/../../../../pki/evil", "//b/./c"]
    root = Path(_link_volumes(folder, [Mount(str(volume), target) for target in targets]))
    assert root == folder / "root"
    links = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink()}
    assert links == {"data", "keys/evil", "pki/evil", "b/c"}
    assert {path.name for path in tmp_path.iterdir()} == {"volume", "state"} and [*folder.iterdir()] == [root]


def test_it_is_copied_again_only_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = []
    monkeypatch.setattr(layout, "copy_readable", lambda source, target: copied.append((source, target)))
    layouts = Layouts(tmp_path, [])
    layouts.refresh()
    layouts.refresh()
    assert copied == [("/etc", tmp_path / "etc")]
