"""Readings from a kubelet's /metrics/cadvisor: of the few families that history keeps, and at the times it measured them.

What a series is about is worked out once and remembered by the text of its labels: a page of ten thousand pods is then a
look into a dictionary for each line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from monitoring.history.figures import CPU, FS, MEMORY, MISSING, NOTHING, RX, TX

FAMILIES = {
    "container_cpu_usage_seconds_total": CPU,
    "container_memory_working_set_bytes": MEMORY,
    "container_network_receive_bytes_total": RX,
    "container_network_transmit_bytes_total": TX,
    "container_fs_usage_bytes": FS,
}
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_PAUSE = "POD"  # containers of this name hold a pod's network and use nothing
MAX_KNOWN = 400_000

Place = tuple[str, str, str]  # namespace, pod, container; the machine itself is ("", "", "")


class Reading:
    """What one page says of one thing: `at` in milliseconds (0: the page does not say), values in stored units."""

    __slots__ = ("at", "values")

    def __init__(self) -> None:
        self.at = 0
        self.values = list(NOTHING)


class Reader:
    """Reads the pages of one kubelet."""

    def __init__(self) -> None:
        self._places: dict[bytes, Place | None] = {}

    def read(self, page: bytes) -> dict[Place, Reading]:
        """Readings by place. Raises ValueError on a line that is not of the format."""
        if len(self._places) > MAX_KNOWN:
            self._places.clear()
        found: dict[Place, Reading] = {}
        for family, figure in FAMILIES.items():
            for labels, value, at in _lines(page, family.encode()):
                try:
                    place = self._places[labels]
                except KeyError:
                    place = self._places[labels] = _place(labels.decode(), figure)
                if place is None:
                    continue
                reading = found.get(place)
                if reading is None:
                    reading = found[place] = Reading()
                number = round(value * 1_000_000) if figure == CPU else int(value)
                held = reading.values[figure]
                # Of several interfaces, or file systems, the sum.
                reading.values[figure] = number if held == MISSING else held + number
                if at > reading.at:
                    reading.at = at
        if len(self._places) > 8 * len(found) + 1000:
            self._places.clear()  # mostly of pods that are gone
        return found


def _lines(page: bytes, family: bytes) -> Iterator[tuple[bytes, float, int]]:
    """(labels, value, milliseconds) of each sample of a family, whose samples follow each other."""
    at = page.find(b"\n" + family + b"{")
    while at >= 0 and page.startswith(family + b"{", at + 1):
        end = page.find(b"\n", at + 1)
        line = page[at + 1 : end if end >= 0 else len(page)]
        labels, found, rest = line.rpartition(b"} ")
        value, _, stamp = rest.partition(b" ")
        if not found:
            raise ValueError(f"not a sample: {line[:200].decode(errors='replace')}")
        yield labels, float(value), int(stamp or 0)
        at = end


def _place(labels: str, figure: int) -> Place | None:
    """Whose sample it is; None when nobody's that is kept.

    A pod as a whole has no processor time and memory here: those of its containers are added up, which stays right when
    one of them starts anew.
    """
    found = {name: value.replace(r"\"", '"').replace(r"\\", "\\") for name, value in _LABEL.findall(labels)}
    if found.get("cpu", "total") not in ("total", "") or found.get("container") == _PAUSE:
        return None
    if found.get("id") == "/":
        return "", "", ""
    namespace, pod, container = found.get("namespace", ""), found.get("pod", ""), found.get("container", "")
    if not pod or (not container and figure in (CPU, MEMORY)):
        return None
    return namespace, pod, container
