"""Who may ask the monitoring API."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from client import ApiStatusError
from monitoring import access
from monitoring.access import Access, Refusal

USERS = {"good": "system:serviceaccount:kube-system:dashboard", "weak": "system:serviceaccount:default:default"}


class Reviews:
    """An API server that knows two tokens, one of somebody with the right; counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False

    async def create(self, path: str, obj: dict[str, Any]) -> dict[str, Any]:
        if self.away:
            raise ApiStatusError({"kind": "Status", "code": 503, "message": "away"})
        self.asked.append(obj["kind"])
        if obj["kind"] == "TokenReview":
            name = USERS.get(obj["spec"]["token"])
            return {"status": {"authenticated": bool(name), "user": {"username": name, "groups": ["g"]}}}
        assert obj["spec"]["nonResourceAttributes"] == {"path": "/x", "verb": "get"}
        return {"status": {"allowed": obj["spec"]["user"] == USERS["good"]}}


def check(who: Access, header: str) -> int:
    """200, or the status of the refusal."""
    try:
        asyncio.run(who.check(header, "/x"))
    except Refusal as refusal:
        return refusal.status
    return 200


@pytest.fixture
def reviews() -> Reviews:
    return Reviews()


@pytest.fixture
def made(reviews: Reviews) -> Access:
    client: Any = reviews
    return Access(client)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer good", 200),
        ("bearer good", 200),
        ("Bearer weak", 403),
        ("Bearer unknown", 401),
        ("", 401),
        ("Bearer ", 401),
        ("Basic good", 401),
        ("Bearer " + "x" * 20_000, 401),
    ],
)
def test_only_a_known_token_with_the_right_gets_in(made: Access, header: str, status: int) -> None:
    assert check(made, header) == status


def test_answers_are_remembered_and_bounded(made: Access, reviews: Reviews, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        assert check(made, "Bearer good") == 200
    assert reviews.asked == ["TokenReview", "SubjectAccessReview"]
    monkeypatch.setattr(access, "MOST", 10)
    for i in range(30):
        assert check(made, f"Bearer no-{i}") == 401
    assert len(made._known) == 10


def test_what_was_good_stays_good_while_the_api_is_away(
    made: Access, reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check(made, "Bearer good") == 200 and check(made, "Bearer weak") == 403
    reviews.away = True
    monkeypatch.setattr(access, "KEEP", 0.0)
    monkeypatch.setattr(access, "KEEP_REFUSAL", 0.0)
    assert check(made, "Bearer good") == 200
    assert check(made, "Bearer weak") == 503 and check(made, "Bearer new") == 503
    monkeypatch.setattr(access, "KEEP_AWAY", 0.0)
    assert check(made, "Bearer good") == 503
