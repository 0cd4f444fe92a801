"""Growing numpy columns over node slots: the storage under the node table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Where = slice | Array


def grown(array: Array, size: int) -> Array:
    """A copy with the last axis enlarged to `size`, new cells zero."""
    bigger = np.zeros((*array.shape[:-1], size), dtype=array.dtype)
    bigger[..., : array.shape[-1]] = array
    return bigger


class Interned:
    """One label key over all nodes: each slot holds the id of its value, 0 where the node lacks the label."""

    __slots__ = ("ids", "values")

    def __init__(self, size: int) -> None:
        self.ids: Array = np.zeros(size, dtype=np.int32)
        self.values: dict[str, int] = {}

    def put(self, slot: int, value: str | None) -> None:
        self.ids[slot] = 0 if value is None else self.values.setdefault(value, len(self.values) + 1)

    def one_of(self, wanted: Iterable[str], where: Where) -> Array:
        """True where the node's value is in `wanted`."""
        allowed = self._table()
        for value in wanted:
            allowed[self.values.get(value, 0)] = True
        allowed[0] = False
        return allowed[self.ids[where]]

    def test(self, accept: Callable[[str], bool], where: Where) -> Array:
        """True where the node has a value that `accept` takes; each distinct value is asked once."""
        allowed = self._table()
        for value, number in self.values.items():
            allowed[number] = accept(value)
        return allowed[self.ids[where]]

    def grow(self, size: int) -> None:
        self.ids = grown(self.ids, size)

    def _table(self) -> Array:
        return np.zeros(len(self.values) + 1, dtype=bool)


class Amount:
    """Rows of amounts a resource (int64), one column a slot; a resource gets its row when it is first named."""

    __slots__ = ("cells", "rows")

    def __init__(self, size: int) -> None:
        self.cells: Array = np.zeros((4, size), dtype=np.int64)
        self.rows: dict[str, int] = {}

    def row(self, name: str) -> int:
        number = self.rows.setdefault(name, len(self.rows))
        if number >= self.cells.shape[0]:
            self.cells = np.concatenate([self.cells, np.zeros_like(self.cells)])
        return number

    def of(self, name: str, where: Where) -> Array:
        row = self.row(name)  # first: a new row may replace the array
        column: Array = self.cells[row][where]
        return column

    def at(self, name: str, slot: int) -> int:
        row = self.row(name)
        return int(self.cells[row, slot])

    def put(self, slot: int, amounts: dict[str, int]) -> None:
        """Replace all amounts of a slot."""
        self.cells[:, slot] = 0
        self.add(slot, amounts, 1)

    def add(self, slot: int, amounts: dict[str, int], sign: int) -> None:
        for name, value in amounts.items():
            row = self.row(name)
            self.cells[row, slot] += sign * value

    def grow(self, size: int) -> None:
        self.cells = grown(self.cells, size)
