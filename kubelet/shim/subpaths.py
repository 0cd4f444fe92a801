"""subPath: a place within a volume."""

from __future__ import annotations

import os
import stat


def open_below(volume: str, relative: str, make: bool = True) -> int:
    """A descriptor (O_PATH) of `relative` in the folder `volume`.

    What is missing is made with the volume's own mode, so that whoever may write the volume may write there.  Raises
    ValueError for a path that leads out of the volume, FileNotFoundError for a missing one that is not to be made.

    Containers of the pod may change links while we walk: each step is looked at after it was opened, where it is.
    """
    at = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    base, mode = _where(at), stat.S_IMODE(os.fstat(at).st_mode)
    try:
        for part in relative.split("/"):
            if part in ("", "."):
                continue
            if part == "..":
                raise ValueError(f"subPath {relative!r} leads out of its volume")
            below = _step(at, part, mode if make else None, relative)
            os.close(at)
            at = below
            where = _where(at)
            if where != base and not where.startswith(base.rstrip("/") + "/"):
                raise ValueError(f"subPath {relative!r} leads out of its volume")
    except BaseException:
        os.close(at)
        raise
    return at


def _step(at: int, part: str, mode: int | None, relative: str) -> int:
    flags = os.O_PATH | os.O_CLOEXEC
    try:
        return os.open(part, flags, dir_fd=at)
    except FileNotFoundError as error:
        if os.path.lexists(f"/proc/self/fd/{at}/{part}"):
            raise ValueError(f"subPath {relative!r} leads out of its volume, or nowhere") from error
        if mode is None:
            raise FileNotFoundError(f"subPath {relative!r} does not exist in its volume") from error
    os.mkdir(part, dir_fd=at)
    below = os.open(part, flags | os.O_NOFOLLOW, dir_fd=at)
    os.chmod(f"/proc/self/fd/{below}", mode)
    return below


def _where(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def provide(volume: str, relative: str, make: bool = True) -> str:
    """The path of `relative` in the folder `volume`, made if it is missing; raises as `open_below`."""
    descriptor = open_below(volume, relative, make)
    try:
        return _where(descriptor)
    finally:
        os.close(descriptor)
