"""What a line says of itself."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logs.ship.parsing import MAX_FIELDS, MAX_VALUE, inspect


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ('{"level":"warning","msg":"x"}', "warn"),
        ('{"severity":"ERROR"}', "error"),
        ('{"level":50,"msg":"pino"}', "error"),
        ('{"log":{"level":"debug"}}', "debug"),
        ('{"msg":"no level"}', ""),
        ('time="2026-11-21T06:19:10Z" level=error msg="x"', "error"),
        ('ts=1 lvl=dbg msg="x"', "debug"),
        ("I1121 06:19:10.123456       1 main.go:10] started", "info"),
        ("E1121 06:19:10.123456       1 main.go:10] INFO is not it", "error"),
        ("2026/11/21 06:19:10 [error] 12#12: *1 open() failed", "error"),
        ("[Fri Nov 21 06:19:10 2026] [core:notice] [pid 1] AH00094: Command line", "info"),
        ("<11>1 2026-11-21T06:19:10Z host app - - - text", "error"),
        ("2026-11-21 06:19:10,123 WARNING django.request: Not Found", "warn"),
        ("ERROR:root:it failed", "error"),
        ("2026-11-21 06:19:10.123  INFO 1 --- [main] c.e.App : Started", "info"),
        ("CRITICAL out of memory", "fatal"),
        ("warning: deprecated", "warn"),
        ("1:M 21 Nov 2026 06:19:10.123 # Server initialized", "warn"),
        ("1:M 21 Nov 2026 06:19:10.123 * Ready to accept connections", "info"),
        ('10.0.0.1 - - [21/Nov/2026:06:19:10 +0000] "GET /errors HTTP/1.1" 200 612', ""),
        ("information about the weather", ""),
        ("the terror of INFORMATION", ""),
        ("", ""),
    ],
)
def test_levels(line: str, level: str) -> None:
    assert inspect(line)[0] == level


def test_fields_of_a_json_line() -> None:
    assert orjson.loads(inspect('{"msg":"x","n":1,"in":{"a":[1,"b"]}}')[1]) == {
        "msg": "x",
        "n": 1,
        "in": {"a": [1, "b"]},
    }
    assert inspect("{not json}")[1] == b"" and inspect("[1]")[1] == b""


def test_fields_are_bounded() -> None:
    many = orjson.loads(inspect(orjson.dumps({str(n): n for n in range(1000)}).decode())[1])
    assert len(many) == MAX_FIELDS
    long = orjson.loads(inspect(orjson.dumps({"a": "x" * 9000}).decode())[1])
    assert len(long["a"]) == MAX_VALUE
    deep = orjson.loads(inspect('{"a":' * 50 + "1" + "}" * 50)[1])
    assert isinstance(deep["a"]["a"]["a"]["a"], str)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.text()
    | st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: orjson.dumps({"level": value}).decode())
)
def test_any_line_is_read(line: str) -> None:
    level, fields = inspect(line)
    assert level in ("", "trace", "debug", "info", "warn", "error", "fatal")
    assert not fields or isinstance(orjson.loads(fields), dict)
