"""What the images show of the machine: its programs, and nothing that not every user of it may read."""

from __future__ import annotations

import math
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kubelet.runtimes.process import images
from kubelet.runtimes.process.images import ROOT, within

_PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr")
_POD_FILES = ("hosts", "hostname", "resolv.conf")
"""Files of /etc that each pod has its own of."""
MAX_FILE = 16 << 20  # bytes; nothing in /etc that programs need is larger
REFRESH = 60.0  # seconds


class Layouts:
    """The images' layouts; `folder` keeps a copy of /etc: a container's root may read whatever is bound into it."""

    def __init__(self, folder: Path, hidden: Iterable[Path]) -> None:
        self._etc = folder / "etc"
        self._hidden = [str(path) for path in hidden]
        self._copied = -math.inf
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Copies /etc again if the last time is long ago; blocks for some milliseconds."""
        with self._lock:
            if time.monotonic() - self._copied > REFRESH:
                copy_readable("/etc", self._etc)
                self._copied = time.monotonic()

    def of(self, image: str) -> dict[str, Any]:
        """What shim.mounts.Root takes: `binds` (source, target), `links` (path, text), `hidden` (path)."""
        programs = [f"/{name}" for name in _PROGRAMS]
        links = [[path, os.readlink(path)] for path in programs if os.path.islink(path)]
        folders = [path for path in programs if os.path.isdir(path) and not os.path.islink(path)]
        for path in self._own(image):
            for form in dict.fromkeys((os.path.realpath(path), os.path.abspath(path))):
                if os.path.exists(form) and not within(form, [*programs, *folders]):
                    folders.append(form)
        binds = [[os.path.realpath(path), path] for path in folders]
        hidden = [path for path in self._hidden if within(path, folders)]
        return {"binds": [[str(self._etc), "/etc"], *binds], "links": links, "hidden": hidden}

    def _own(self, image: str) -> Iterator[str]:
        """Folders beyond the machine's: the Python that runs us, what PATH names, and for our own images the project."""
        yield sys.base_prefix
        yield sys.prefix
        for path in images.program_folders():
            if path != "/" and not any(within(kept, [path]) for kept in self._hidden):
                yield path
        if images.repository(image) != "host":
            yield str(ROOT / "manage.py")
            for entry in sorted(ROOT.iterdir()):
                if (entry / "__init__.py").exists() or (entry / "logs" / "__init__.py").exists():
                    yield str(entry)

    def visible(self, image: str) -> list[str]:
        """The same for a pod that shares the machine's root: the paths that it may read."""
        layout = self.of(image)
        kernel = ["/etc", "/proc", "/sys", "/dev"]
        return [*kernel, *(target for _, target in layout["binds"]), *(path for path, _ in layout["links"])]


def copy_readable(source: str, target: Path) -> None:
    """Makes `target` hold what everybody may read below `source`, now; what is the same already is not written.

    A file is replaced as a whole, so a pod that has it open reads on in the old one.
    """
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o755)
    wanted: set[str] = set()
    for path, name, info in _readable(source, ""):
        wanted.add(name)
        _copy(path, target / name, info)
    for name in _POD_FILES if source == "/etc" else ():
        wanted.add(name)
        if not (target / name).is_file() or (target / name).is_symlink():
            _remove(target / name)
            (target / name).touch(mode=0o644)
    for folder, folders, files in os.walk(target, topdown=False):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            if os.path.relpath(path, target) not in wanted:
                _remove(Path(path))


def _readable(folder: str, below: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """(path, path below the source, status) of folders, files and links."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        name = f"{below}{entry.name}"
        if folder == "/etc" and entry.name in _POD_FILES:
            continue
        try:
            info = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # it went away
        if stat.S_ISLNK(info.st_mode):
            yield entry.path, name, info
        elif stat.S_ISDIR(info.st_mode) and info.st_mode & 0o005 == 0o005:
            yield entry.path, name, info
            yield from _readable(entry.path, name + "/")
        elif stat.S_ISREG(info.st_mode) and info.st_mode & 0o004 and info.st_size <= MAX_FILE:
            yield entry.path, name, info


def _copy(source: str, target: Path, info: os.stat_result) -> None:
    try:
        found: os.stat_result | None = target.lstat()
    except FileNotFoundError:
        found = None
    if found is not None and stat.S_IFMT(found.st_mode) != stat.S_IFMT(info.st_mode):
        _remove(target)
        found = None
    if stat.S_ISDIR(info.st_mode):
        target.mkdir(mode=0o755, exist_ok=True)
        return
    new = target.with_name(f".{target.name}.new")
    if stat.S_ISLNK(info.st_mode):
        text = os.readlink(source)
        if found is None or os.readlink(target) != text:
            _remove(new)
            new.symlink_to(text)
            new.rename(target)
    elif found is None or (found.st_size, found.st_mtime_ns) != (info.st_size, info.st_mtime_ns):
        _remove(new)
        shutil.copyfile(source, new)
        new.chmod(stat.S_IMODE(info.st_mode) & 0o755)
        os.utime(new, ns=(info.st_mtime_ns, info.st_mtime_ns))
        new.rename(target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
