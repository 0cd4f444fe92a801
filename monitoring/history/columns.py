"""The samples of one entity as bytes: a column of times and one for each figure.

Neighbours differ little, so a column is its first value and the differences after it, in the narrowest integers that hold
them; zlib does the rest. All of it runs in C, which is what makes ten thousand pods cheap.

    u16 number of samples, u8 number of columns; per column: u8 number, typecode, i64 first value, differences
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Mapping
from itertools import accumulate
from operator import sub

TIMES = 255  # the column's number
_HEAD, _COLUMN = struct.Struct("<HB"), struct.Struct("<Bcq")
_WIDTHS = (("b", 7), ("h", 15), ("i", 31), ("q", 63))
MAX_SAMPLES = 65_535


def pack(times: array[int], columns: Mapping[int, array[int]]) -> bytes:
    """`times` in milliseconds, each column as long as they are. At least one sample."""
    parts = [_HEAD.pack(len(times), len(columns) + 1), *_column(TIMES, times)]
    for number, values in columns.items():
        parts += _column(number, values)
    return zlib.compress(b"".join(parts), 6)


def unpack(body: bytes) -> tuple[array[int], dict[int, array[int]]]:
    """What `pack` was given. Raises ValueError when the bytes are not its."""
    try:
        data = zlib.decompress(body)
        count, number_of = _HEAD.unpack_from(data)
        found, at = {}, _HEAD.size
        for _ in range(number_of):
            number, code, first = _COLUMN.unpack_from(data, at)
            at += _COLUMN.size
            differences: array[int] = array(code.decode())
            end = at + differences.itemsize * (count - 1)
            differences.frombytes(data[at:end])
            at = end
            found[number] = array("q", accumulate(_native(differences), initial=first))
        return found.pop(TIMES), found
    except (zlib.error, struct.error, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"not a piece of history: {error}") from error


def _column(number: int, values: array[int]) -> tuple[bytes, bytes]:
    differences = list(map(sub, values[1:], values[:-1]))
    bits = max(max(differences).bit_length(), min(differences).bit_length()) if differences else 0
    code = next(code for code, width in _WIDTHS if bits <= width)
    return _COLUMN.pack(number, code.encode(), values[0]), _native(array(code, differences)).tobytes()


def _native(values: array[int]) -> array[int]:
    """To or from the order of bytes in the file, which is little-endian."""
    if sys.byteorder == "big":
        values.byteswap()
    return values
