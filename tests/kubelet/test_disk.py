"""Trees of files that pods made."""

from __future__ import annotations

import os
from pathlib import Path

from kubelet.disk import remove_tree


def test_a_tree_of_any_depth_is_removed(tmp_path: Path) -> None:
    """Deeper than Python's stack, and than a path may be long."""
    top = tmp_path / "pod"
    top.mkdir()
    at = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("folder", dir_fd=at)
        below = os.open("folder", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    remove_tree(top)
    assert not top.exists()
    remove_tree(top)


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / "pod").mkdir()
    (tmp_path / "pod/link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "pod")
    assert (tmp_path / "kept/file").exists() and not (tmp_path / "pod").exists()
