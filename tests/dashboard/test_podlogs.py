from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.podlogs import MAX_LINE, Splitter, params_of

STAMP = "2026-01-02T03:04:05.000000006Z"


@given(
    st.lists(st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=["Cs"]), max_size=40), max_size=8),
    st.integers(1, 7),
)
def test_any_cut_of_the_stream_gives_the_same_lines(lines: list[str], size: int) -> None:
    stream = "".join(f"{STAMP} {line}\n" for line in lines).encode()
    splitter = Splitter()
    found = [line for i in range(0, len(stream), size) for line in splitter.feed(stream[i : i + size])] + splitter.end()
    assert found == [[STAMP, line, 0] for line in lines]


def test_a_huge_line_is_cut_and_never_held() -> None:
    splitter = Splitter()
    for _ in range(50):
        assert splitter.feed(b"x" * 10_000) == []
        assert len(splitter._rest) <= MAX_LINE
    [[stamp, text, cut]] = splitter.feed(b"\n")
    assert (stamp, len(text), cut) == ("", MAX_LINE, 500_000 - MAX_LINE)


def test_a_line_without_a_time_and_an_unfinished_last_line() -> None:
    splitter = Splitter()
    assert splitter.feed(b"plain words\nrest") == [["", "plain words", 0]]
    assert splitter.end() == [["", "rest", 0]]


def test_parameters() -> None:
    assert params_of(
        {"ns": "default", "pod": "web-1", "follow": "1", "previous": "1", "container": "c", "since": STAMP}
    ) == (
        "default",
        "web-1",
        {
            "timestamps": "true",
            "container": "c",
            "follow": "true",
            "previous": "true",
            "tailLines": "1000",
            "sinceTime": STAMP,
        },
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ns", "../../secrets"),
        ("pod", "a/b"),
        ("pod", ""),
        ("container", "c?x=1"),
        ("tail", "-1"),
        ("tail", "1e9"),
        ("tail", "99999999"),
        ("since", "yesterday"),
    ],
)
def test_parameters_that_could_lead_elsewhere_are_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        params_of({"ns": "default", "pod": "web", field: value})
