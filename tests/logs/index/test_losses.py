"""What was dropped for room is remembered; a broken memory stops nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from logs.index.losses import Losses


def test_it_is_remembered_and_ages_are_not_mixed_in(tmp_path: Path) -> None:
    losses = Losses(tmp_path)
    losses.add(10, 500)
    losses.add(5, 300)
    losses.add(7, None)
    losses.add(0, 900)  # an index without lines says nothing
    assert (losses.lines, losses.until, losses.expired) == (15, 500, 7)
    again = Losses(tmp_path)
    assert (again.lines, again.until, again.expired) == (15, 500, 0)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"lines": 1}', b'{"lines": "x", "until": 2}'])
def test_what_can_not_be_read_is_nothing(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "losses.json").write_bytes(content)
    losses = Losses(tmp_path)
    assert (losses.lines, losses.until) == (0, 0) and "cannot be read" in caplog.text
    losses.add(1, 2)
    assert Losses(tmp_path).lines == 1


def test_what_can_not_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses(tmp_path / "gone")
    losses.add(3, 4)
    assert losses.lines == 3 and "cannot be written" in caplog.text
