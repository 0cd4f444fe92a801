"""subPath: a place within a volume."""

from __future__ import annotations

import os
import stat


def provide(volume: str, relative: str, make: bool = True) -> str:
    """The real path of `relative` in the folder `volume`.

    What is missing is made with the volume's own mode, so that whoever may write the volume may write there.  Raises
    ValueError for a path that leads out of the volume, FileNotFoundError for a missing one that is not to be made.
    """
    base = os.path.realpath(volume)
    path = os.path.realpath(os.path.join(base, relative))
    if os.path.commonpath([path, base]) != base:
        raise ValueError(f"subPath {relative!r} leads out of its volume")
    missing = []
    place = path
    while not os.path.exists(place):
        missing.append(place)
        place = os.path.dirname(place)
    if missing and not make:
        raise FileNotFoundError(f"subPath {relative!r} does not exist in its volume")
    mode = stat.S_IMODE(os.stat(base).st_mode)
    for place in reversed(missing):
        os.mkdir(place)
        os.chmod(place, mode)
    return path
