"""The protocol without I/O: the same whatever way the bytes are cut, and what is no HTTP is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web import http1
from web.http1 import ProtocolError, Refusal, RequestReader, ResponseReader
from web.limits import Limits

LIMITS = Limits(header_bytes=400, header_count=8, body_bytes=50)
PIPELINE = (
    b"GET /a?x=1&y=%2F&z HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nA: 1\r\nA: 2\r\n\r\n"
    b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
    b"\r\nPUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: t\r\n\r\n"
    b"GET http://h/d HTTP/1.0\r\n\r\n"
)
RESPONSES = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
    b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nT: t\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
)


def cuts(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """All ways to cut it in pieces."""
    places = st.lists(st.integers(1, len(data) - 1), unique=True).map(sorted)
    return places.map(lambda at: [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)])


def read(pieces: list[bytes]) -> list[tuple[object, ...]]:
    reader = RequestReader(LIMITS)
    for piece in pieces:
        reader.feed(piece)
    assert not reader.begun and all(one.complete for one in reader.messages)
    return [(m.method, m.path, m.query(), m.headers, bytes(m.body), m.keep) for m in reader.messages]


@given(cuts(PIPELINE))
def test_any_cut_of_requests_gives_the_same_requests(pieces: list[bytes]) -> None:
    assert read(pieces) == [
        ("GET", "/a", {"x": "1", "y": "/", "z": ""}, {"host": "h", "x-empty": "", "a": "1, 2"}, b"", True),
        ("POST", "/b", {}, {"host": "h", "content-length": "5"}, b"hello", True),
        ("PUT", "/c", {}, {"host": "h", "transfer-encoding": "chunked"}, b"hello", True),
        ("GET", "/d", {}, {}, b"", False),
    ]


@given(st.data())
def test_any_cut_of_an_answer_gives_the_same_answer(data: st.DataObject) -> None:
    reader = ResponseReader(100)
    found = []
    for response in RESPONSES:
        reader.begin("GET")
        for piece in data.draw(cuts(response)):
            reader.feed(piece)
        assert reader.complete and reader.keep
        found.append(reader.whole())
    assert [(one.status, one.headers, one.body) for one in found] == [
        (200, {"content-length": "5", "x": "y"}, b"hello"),
        (404, {"transfer-encoding": "chunked"}, b"hello"),
        (204, {}, b""),
    ]


@given(st.binary(max_size=3000), st.booleans())
def test_no_bytes_break_a_reader(noise: bytes, after_a_request: bool) -> None:
    reader = RequestReader(LIMITS)
    try:
        reader.feed(PIPELINE + noise if after_a_request else noise)
    except Refusal as refusal:
        assert refusal.status in (400, 413, 431) and str(refusal)
    answer = ResponseReader(100)
    answer.begin("GET")
    try:
        answer.feed(noise)
        answer.end()
    except (ProtocolError, ConnectionResetError):
        pass


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 400, 431),
        (b"GET /" + b"x" * 401, 431),
        (b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * 10, 431),
        (b"\r\n" * 201, 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 51\r\n\r\n" + b"x" * 51, 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n33\r\n" + b"x" * 51, 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: 1\r\n" * 10, 431),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
)
@pytest.mark.parametrize("size", [1, 4096])
def test_what_is_no_request_or_too_much_is_refused(sent: bytes, status: int, size: int) -> None:
    reader = RequestReader(LIMITS)
    with pytest.raises(Refusal) as refused:
        for at in range(0, len(sent), size):
            reader.feed(sent[at : at + size])
    assert refused.value.status == status


def test_another_protocol_is_not_spoken() -> None:
    reader = RequestReader(LIMITS)
    reader.feed(b"GET /a HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nnoise")
    reader.feed(b"more noise")
    assert [(one.path, one.complete, one.keep) for one in reader.messages] == [("/a", True, False)]


def test_a_header_without_end_is_not_kept() -> None:
    """The parser itself would hold it back until it is whole."""
    reader = RequestReader(LIMITS)
    reader.feed(b"GET / HTTP/1.1\r\nA: ")
    with pytest.raises(Refusal, match="400 bytes of headers"):
        for _ in range(10):
            reader.feed(b"x" * 100)
    answer = ResponseReader(100)
    answer.begin("GET")
    with pytest.raises(ProtocolError, match="of headers"):
        for _ in range(100):
            answer.feed(b"HTTP/1.1 200 OK\r\nA: " if not answer.begun else b"x" * 1000)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "before it answered"),
        (b"HTTP/1.1 200 OK\r\nX", "in the middle of its answer's headers"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "in the middle of its answer$"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", "in the middle of its answer$"),
        (b"SSH-2.0-x\r\n", "no HTTP answer"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "changes the protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + b"x" * 200, "longer than 100 bytes"),
        (b"HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "not asked for"),
    ],
)
def test_what_is_no_whole_answer_is_said(sent: bytes, words: str) -> None:
    reader = ResponseReader(100)
    reader.begin("GET")
    with pytest.raises((ProtocolError, ConnectionResetError), match=words):
        if sent:
            reader.feed(sent)
        reader.end()


def test_an_answer_without_length_ends_with_the_connection() -> None:
    reader = ResponseReader(100)
    reader.begin("GET")
    reader.feed(b"HTTP/1.0 200 OK\r\n\r\nhello")
    assert not reader.complete
    reader.end()
    assert reader.complete and not reader.keep and reader.whole().body == b"hello"


def test_an_answer_to_head_has_no_body() -> None:
    reader = ResponseReader(100)
    for _ in range(2):
        reader.begin("HEAD")
        reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        assert reader.complete and reader.keep and reader.whole().body == b""
    reader.begin("HEAD")
    with pytest.raises(ProtocolError, match="none belongs"):
        reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nX: y", "a\0"])
def test_a_header_stays_one(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        http1.request_head("GET", "/", {"A": value})
    with pytest.raises(ValueError, match=r"line break|no path"):
        http1.request_head("GET", f"/{value}", {})


@pytest.mark.parametrize("target", ["", "x", "http://h/", "/a b"])
def test_a_target_is_a_path(target: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        http1.request_head("GET", target, {})
