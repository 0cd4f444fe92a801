"""Bulk requests against a server that answers as Elasticsearch does; the real one is in tests/e2e."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from logs.elastic.store import Elasticsearch, encode
from logs.pairs import number
from logs.record import Document, Origin, Unavailable
from web.http1 import Response

TIME = "2026-11-21T23:59:59.999999999Z"
DOCUMENTS = [
    Document(f"{n:032x}", TIME, Origin("container", {"pod": "web"}).encode(TIME, f"line {n}")) for n in range(4)
]


class Server:
    """Gives out answers in turn; an exception is raised."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, bytes]] = []

    async def request(self, method: str, path: str, body: bytes = b"", headers: object = None) -> Response:
        self.asked.append((method, path.partition("?")[0], body))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        pass


def answer(status: int, body: Any = None, **headers: str) -> Response:
    return Response(status, headers, orjson.dumps(body or {}))


def items(*outcomes: tuple[int, str]) -> Response:
    rows = [{"create": {"status": status, **({"error": {"type": kind}} if kind else {})}} for status, kind in outcomes]
    return answer(200, {"errors": any(kind for _, kind in outcomes), "items": rows})


def written(*answers: Response | Exception) -> tuple[list[str], Server]:
    server = Server(*answers)
    store = Elasticsearch(server)  # type: ignore[arg-type]
    return [result.status for result in asyncio.run(store.write(DOCUMENTS))], server


def test_the_body_names_the_day_of_the_line_and_creates() -> None:
    lines = encode(DOCUMENTS).splitlines()
    assert orjson.loads(lines[0]) == {"create": {"_index": "logs-2026.11.21", "_id": "0" * 32}}
    assert orjson.loads(lines[1])["message"] == "line 0" and len(lines) == 8


def test_numbers_of_labels_and_fields_come_beside_them_in_their_order() -> None:
    def numbers(**fields: Any) -> list[str]:
        body = orjson.dumps({"message": "m", "kubernetes": {"labels": {"tier": "2"}}, "fields": fields})
        sent = orjson.loads(encode([Document("0" * 32, TIME, body)]).splitlines()[1])
        tier, *others = sent.pop("numbers")
        assert sent == orjson.loads(body) and tier == number("l.tier", "2")
        return list(others)

    assert numbers(a="x", b="12a", c=True, d=None) == []
    assert numbers(deep={"ms": 3}, many=[1, "2"]) == [
        number("f.deep.ms", "3"),
        number("f.many", "1"),
        number("f.many", "2"),
    ]
    written = [numbers(n=n)[0] for n in (-1e300, -20, "-3.5", 0, 0.25, "7", 1000, "1e30")]
    assert written == sorted(written) and len(set(written)) == 8


def test_each_document_has_its_own_result() -> None:
    mixed = items(
        (201, ""),
        (409, "version_conflict_engine_exception"),
        (429, "es_rejected_execution_exception"),
        (400, "document_parsing_exception"),
    )
    statuses, server = written(answer(200), mixed)
    assert statuses == ["ok", "ok", "retry", "rejected"]
    assert [asked[:2] for asked in server.asked] == [("PUT", "/_index_template/binnacle-logs"), ("POST", "/_bulk")]


def test_without_errors_nothing_is_looked_through() -> None:
    assert written(answer(200), answer(200, {"errors": False, "items": []}))[0] == ["ok"] * 4


def test_a_server_without_match_only_text_gets_text() -> None:
    refusal = answer(400, {"error": "The mapper type [match_only_text] declared on field [message] does not exist"})
    _, server = written(refusal, answer(200), answer(200, {"errors": False}))
    assert b'"type":"text"' in server.asked[1][2]


@pytest.mark.parametrize(
    ("reply", "after", "too_large"),
    [
        (answer(429, **{"retry-after": "7"}), 7.0, False),
        (answer(503), None, False),
        (answer(413), None, True),
        (ConnectionRefusedError(), None, False),
        (TimeoutError(), None, False),
    ],
)
def test_a_whole_batch_is_refused(reply: Response | Exception, after: float | None, too_large: bool) -> None:
    with pytest.raises(Unavailable) as caught:
        written(answer(200), reply)
    assert (caught.value.retry_after, caught.value.too_large) == (after, too_large)
