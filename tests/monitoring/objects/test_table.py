"""The table of rendered pieces against a plain dictionary."""

from __future__ import annotations

import random

from monitoring.objects.table import SIZE, Table


def test_columns_hold_the_newest_pieces_of_what_is_there() -> None:
    chance, table, known = random.Random(4), Table(3), {}
    for _ in range(6000):
        uid = f"u{chance.randrange(3 * SIZE)}"
        if uid in known and chance.random() < 0.3:
            table.drop(uid)
            del known[uid]
        else:
            known[uid] = tuple(
                f"{uid}/{family}/{'x' * chance.randrange(4)}\n".encode() if chance.random() < 0.7 else b""
                for family in range(3)
            )
            table.put(uid, known[uid])
    assert len(table) == len(known)
    for family in range(3):
        lines = b"".join(table.column(family)).splitlines(keepends=True)
        assert sorted(lines) == sorted(pieces[family] for pieces in known.values() if pieces[family])


def test_retain_drops_all_others() -> None:
    table = Table(1)
    for number in range(5):
        table.put(str(number), [f"{number}\n".encode()])
    table.retain({"1", "3", "9"})
    table.drop("unknown")
    assert len(table) == 2 and sorted(b"".join(table.column(0)).split()) == [b"1", b"3"]


def test_slots_are_used_again() -> None:
    table = Table(1)
    for number in range(20 * SIZE):
        table.put(str(number), [b"piece\n"])
        table.drop(str(number))
    table.put("last", [b"last\n"])
    assert table.column(0) == [b"last\n"]
