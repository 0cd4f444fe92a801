"""The images that exist without a registry, and the environment each brings."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterable
from pathlib import Path

import environment as settings
from kubelet.runtimes.base import ImageError

ROOT = Path(__file__).resolve().parents[3]


def repository(image: str) -> str:
    """The name without tag and digest: `binnacle/dns:1` -> `binnacle/dns`."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def known(image: str) -> bool:
    name = repository(image)
    return name == "host" or name.startswith("binnacle/")


def refuse(image: str) -> ImageError:
    return ImageError(
        "ErrImagePull",
        f'failed to pull image "{image}": this node has no container engine; install containerd or Docker, or use '
        'the image "host" (the machine\'s own programs) or one of the project\'s addons, "binnacle/<name>"',
    )


def working_directory(image: str) -> str:
    return str(ROOT) if repository(image) != "host" else "/"


def environment(image: str, uid: int | None, trusted: bool) -> dict[str, str]:
    """What a container of this image finds before its own variables; our settings only where it is `trusted`."""
    path, ours = os.pathsep.join(program_folders()), os.path.join(sys.prefix, "bin")
    if repository(image) == "host":
        # The machine's programs come first; the project's environment adds python and redis-server to a bare one.
        return {"PATH": os.pathsep.join([path, ours]), "HOME": _home(uid)}
    inherited = settings.passed_on("DATABASE_URL", "DJANGO_SETTINGS_MODULE", "LANG") if trusted else {}
    return {"PATH": os.pathsep.join([ours, path]), "HOME": _home(uid), **inherited}


def program_folders() -> list[str]:
    """The folders of PATH but those in a home, which pods do not see."""
    own = _home(None)
    homes = ["/home", "/root"]
    if own != "/" and not own.startswith("/usr/"):  # as those of the machine's own users
        homes.append(own)
    folders = (os.path.normpath(path) for path in settings.PATH.get().split(os.pathsep) if path.startswith("/"))
    return [path for path in folders if not within(path, homes)]


def within(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of the folders, or lies in one."""
    return any(Path(path).is_relative_to(folder) for folder in folders)


def _home(uid: int | None) -> str:
    try:
        return pwd.getpwuid(os.getuid() if uid is None else uid).pw_dir
    except KeyError:
        return "/"
