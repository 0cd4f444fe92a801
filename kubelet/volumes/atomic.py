"""Files of a ConfigMap or Secret that change all at once.

The visible names are links into `..data`, itself a link to a directory with a time in its name.  An update writes a new
directory and renames the link over: a reader sees all old files or all new ones.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

DATA = "..data"


@dataclass(frozen=True)
class File:
    """`user` owns it, where we may give files away."""

    content: bytes
    mode: int = 0o644
    user: int | None = None


def write(folder: Path, files: Mapping[str, File], group: int | None = None) -> bool:
    """Makes `folder` hold exactly `files` (relative path to content); whether anything changed.

    With `group`, that group may read them (a pod's fsGroup).
    """
    folder.mkdir(parents=True, exist_ok=True)
    current = folder / DATA
    if group is not None:
        files = {name: replace(file, mode=file.mode | 0o040) for name, file in files.items()}
    if current.exists():
        found = {str(p.relative_to(current)) for p in current.rglob("*") if p.is_file()}
        if found == set(files) and all(
            (current / name).read_bytes() == file.content and (current / name).stat().st_mode & 0o777 == file.mode
            for name, file in files.items()
        ):
            return False
    target = folder / time.strftime("..%Y_%m_%d_%H_%M_%S", time.gmtime())
    while target.exists():
        target = target.with_name(target.name + "x")
    target.mkdir(mode=0o755)
    for name, file in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
        if os.geteuid() == 0:
            os.chown(path, -1 if file.user is None else file.user, -1 if group is None else group)
    # The change itself: one rename.
    old = os.readlink(current) if current.is_symlink() else None
    temporary = folder / "..data_tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target.name)
    temporary.rename(current)
    # The visible names follow: those of files that went go, those of new ones come.
    wanted = {name.split("/")[0] for name in files}
    for entry in folder.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
    for name in wanted:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"{DATA}/{name}")
    if old:
        shutil.rmtree(folder / old, ignore_errors=True)
    return True


def checked(path: str) -> str:
    """A path that stays below the volume; ValueError otherwise."""
    if path.startswith("/") or ".." in path.split("/") or not path:
        raise ValueError(f"path {path!r} of a volume item has to be relative, without '..'")
    return path
