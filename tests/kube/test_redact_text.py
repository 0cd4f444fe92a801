"""Texts without their credentials: a corpus of both sorts, and time that grows with the length however nasty the text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.redact.names import BULLETS
from kube.redact.text import clean
from tests.kube.redact_corpus import NEGATIVE, POSITIVE


@pytest.mark.parametrize("text, credential", POSITIVE)
def test_what_nobody_may_read_vanishes(text: str, credential: str) -> None:
    assert credential in text
    shown = clean(text)
    assert credential not in shown and BULLETS in shown


@pytest.mark.parametrize("text", NEGATIVE)
def test_what_is_no_credential_stays_readable(text: str) -> None:
    assert clean(text) == text


def test_the_corpus_is_large() -> None:
    assert len(set(POSITIVE)) >= 60 and len(set(NEGATIVE)) >= 60


@pytest.mark.parametrize("around", ["{}", "before\n{}\nafter", "  {}", "{} | tail", "log: {} end"])
@pytest.mark.parametrize("text, credential", [case for case in POSITIVE if "\n" not in case[0]][::3])
def test_it_vanishes_wherever_it_stands(text: str, credential: str, around: str) -> None:
    assert credential not in clean(around.format(text))


@given(st.sampled_from(POSITIVE), st.sampled_from(NEGATIVE), st.sampled_from(["\n", "\n\n"]))
def test_neighbours_hide_nothing(positive: tuple[str, str], negative: str, between: str) -> None:
    text, credential = positive
    assert credential not in clean(negative + between + text)


@given(st.text(alphabet=st.sampled_from("abc=:\"'\\ \n-[]{}|&;<>/@$•."), max_size=60), st.sampled_from(POSITIVE))
def test_no_text_is_too_odd(odd: str, positive: tuple[str, str]) -> None:
    once = clean(odd + "password" + odd + positive[0])
    assert isinstance(once, str) and clean(once) is not None


# What expressions usually go astray on: beginnings that never end, one inside the other, many of them.
NASTY = [
    "a",
    "-",
    " ",
    "\\",
    "@",
    "eyJ-",
    "-eyJaaaaaaaaa",
    "password=",
    'password="',
    'password=\\"',
    "password=[",
    "password: |\n",
    " password: |\n  ",
    "password\n",
    "password\t:\t",
    "password=${",
    "password\\\\\\\\",
    "- password: x y #",
    "--password ",
    "<password>",
    "DB_PASSWORD value ",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN A",
    "mysql -p ",
    "mysql -p'",
    "mysql '\"",
    'mysql \\"',
    "mysql ",
    'Authorization: "',
    "authorization=digest ",
    "a://b:",
    "://",
    "a://a:b@",
    "bearer ",
    "Basic aaaa",
    "echo x |",
    "echo ",
    "cookie:",
    "htpasswd -b x ",
    "sk-",
    "xoxb-",
    "$6$",
    "machine login password ",
    "curl -u a:",
    "sqlplus a/",
    "aws configure set ",
    "token.",
]


def seconds(text: str) -> float:
    """Of the processor, for this thread alone; the shortest of several, as other load only ever adds."""
    taken = []
    for _ in range(2):
        before = time.thread_time()
        clean(text)
        taken.append(time.thread_time() - before)
    return min(taken)


@pytest.mark.parametrize("part", NASTY)
@pytest.mark.parametrize("before", ["", "password mysql eyJ "], ids=["alone", "after"])
def test_eight_times_the_text_takes_no_more_than_about_eight_times_as_long(part: str, before: str) -> None:
    """Growth, not speed: what is quadratic takes 64 times as long, whatever the machine."""
    short, long = (before + (part * (size // len(part))) for size in (6_000, 48_000))
    assert seconds(long) < 24 * max(seconds(short), 0.000_3)


def test_a_megabyte_of_all_of_it_grows_no_faster() -> None:
    mixed = "".join(NASTY)
    short, long = (mixed * (size // len(mixed)) for size in (125_000, 1_000_000))
    assert seconds(long) < 24 * seconds(short)
