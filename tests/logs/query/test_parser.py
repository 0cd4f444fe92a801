"""What queries mean, and what is said about those that mean nothing."""

from __future__ import annotations

import pytest

from kube import clock
from logs.query import QueryError, moments, parse
from logs.query.fields import LEVEL, NAMESPACE, POD, TIME, WORKLOAD, WORKLOAD_KIND, Field
from logs.query.nodes import All, And, AnyOf, Exists, Glob, Not, Or, Range, Words

NOW = moments.nanoseconds("2026-11-21T12:00:00Z")
STATUS = Field("fields", "pair", "status")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", All()),
        ("  timeout ", Words("timeout")),
        ('disk "connection refused"', And((Words("disk"), Words("connection refused")))),
        ("a OR b c", Or((Words("a"), And((Words("b"), Words("c")))))),
        ("a && !b || -c", Or((And((Words("a"), Not(Words("b")))), Not(Words("c"))))),
        ("+a NOT (b OR c)", And((Words("a"), Not(Or((Words("b"), Words("c"))))))),
        ("not and or", And((Words("not"), Words("and"), Words("or")))),
        ("ns:shop pod:web-*", And((AnyOf(NAMESPACE, ("shop",)), Glob(POD, "web-*")))),
        ("kubernetes.namespace:(a OR b)", Or((AnyOf(NAMESPACE, ("a",)), AnyOf(NAMESPACE, ("b",))))),
        ("Time*", Glob(Field("message", "text"), "time*")),
        (r"a\*b\:c", Words("a*b:c")),
        ("level:WARNING", AnyOf(LEVEL, ("warn",))),
        ("level:>=warn", AnyOf(LEVEL, ("warn", "error", "fatal"))),
        ("level:{info TO error]", AnyOf(LEVEL, ("warn", "error"))),
        ("level:>fatal", Or(())),
        ("fields.status:>=500", Range(STATUS, 500.0, None, True, True)),
        ("fields.status:{-1.5 TO 1e3]", Range(STATUS, -1.5, 1000.0, False, True)),
        ("fields.status:[* TO *]", Exists(STATUS)),
        ("fields.status:*", Exists(STATUS)),
        ("time:<now-15m", Range(TIME, None, NOW - 900 * 10**9, True, False)),
        (
            'time:["2026-11-21 10:00" TO 2026-11-21T11:00:00.000000001Z]',
            Range(TIME, moments.nanoseconds("2026-11-21T10:00:00Z"), moments.nanoseconds("2026-11-21T11:00:00Z") + 1),
        ),
        ("workload:Deployment/web", And((AnyOf(WORKLOAD_KIND, ("Deployment",)), AnyOf(WORKLOAD, ("web",))))),
        (
            "labels.app.kubernetes.io/name:web",
            AnyOf(Field("kubernetes.labels", "pair", "app.kubernetes.io/name"), ("web",)),
        ),
    ],
)
def test_what_queries_mean(text: str, tree: object) -> None:
    assert parse(text, NOW) == tree


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("lebel:warn", 0, "did you mean level?"),
        ("a zone:x", 2, "did you mean fields.zone?"),
        ("10.0.0.1:80", 0, "put it in quotes"),
        ("a (b", 2, "not closed: add )"),
        ("a) b", 1, "closes nothing"),
        ('x "y', 2, 'not closed: add "'),
        ("a AND", 4, "a word is missing"),
        ("OR a", 0, "a word is missing"),
        ("()", 1, "a word is missing"),
        ("pod: x", 3, "a value is missing after pod:"),
        ("level:wrn", 6, "one of trace, debug, info, warn, error, fatal"),
        ("level:war*", 6, "compare with >= or <="),
        ("level:>=*", 6, "needs a number, a level or a time"),
        ("pod:>web", 5, "have an order"),
        ("fields.x:>abc", 10, "'abc' is no number"),
        ("fields.x:[1 5]", 11, "TO is missing"),
        ("fields.x:[1 TO 5", 9, "not closed: add ]"),
        ("time:>=yesterday", 7, "write 2026-11-21T06:00:00Z"),
        ("time:>=2026-13-41", 7, "month"),
        ("time:2026-11-21", 5, "a time is compared"),
        ("foo-b*", 0, "'-' ends a word"),
        ("---", 2, "a word is missing"),
        ('"…"', 0, "no word in"),
        ("x" * 5000, 4096, "shorten it to 4096"),
        ("(" * 60 + "a" + ")" * 60, 41, "levels inside each other"),
        ("a " * 300, 512, "more than 256 words"),
    ],
)
def test_what_is_wrong_is_named_with_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text, NOW)
    assert words in str(caught.value)
    assert caught.value.column == column


def test_times_have_nine_digits() -> None:
    assert clock.stamp_nano(moments.nanoseconds("2026-11-21T06:00:00.5+01:00")) == "2026-11-21T05:00:00.500000000Z"
    assert moments.nanoseconds("1969-12-31T23:59:59.9Z") == -(10**8)
    assert moments.day(NOW) == "2026.11.21"
