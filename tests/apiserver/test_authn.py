"""Whose a service account's token is: times, audience, issuer and the account are looked at each time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from apiserver.authn.authenticator import Authenticator
from cluster.cache import Cache
from cluster.tokens import ISSUER, InvalidToken
from kube.users import User


class Accounts:
    """Of a cache, what the check of a token asks: the account, while it is there."""

    def __init__(self) -> None:
        self.uid: str | None = "u1"

    def get(self, key: Any) -> Any:
        there = key.storage == "serviceaccounts" and self.uid is not None
        return SimpleNamespace(key=key, meta=SimpleNamespace(uid=self.uid, deletionTimestamp=None)) if there else None

    def refresh(self) -> None: ...


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


@pytest.fixture
def authenticator(tmp_path: Path, accounts: Accounts) -> Authenticator:
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "sa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Authenticator(tmp_path, cast(Cache, accounts))


def of_token(authenticator: Authenticator, token: str, audiences: list[str]) -> User | None:
    try:
        return asyncio.run(authenticator.of_token(token, audiences)).user
    except InvalidToken:
        return None


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    private = {"namespace": "work", "serviceaccount": {"name": "default", "uid": "u1"}}
    return {"aud": [ISSUER], "exp": now + 600, "nbf": now, "iss": ISSUER, "kubernetes.io": private, **changed}


def test_a_good_token(authenticator: Authenticator) -> None:
    user = of_token(authenticator, authenticator.signer.sign(claims()), [ISSUER])
    assert user is not None and user.name == "system:serviceaccount:work:default"


@pytest.mark.parametrize(
    "changed",
    [{"exp": 1}, {"exp": 0}, {"nbf": 1 << 40}, {"aud": ["another"]}, {"iss": "another"}, {"iss": None}],
    ids=str,
)
def test_claims_that_are_not_good(authenticator: Authenticator, changed: dict[str, Any]) -> None:
    assert of_token(authenticator, authenticator.signer.sign(claims(**changed)), [ISSUER]) is None


def test_the_audience_is_that_of_the_one_who_asks(authenticator: Authenticator) -> None:
    token = authenticator.signer.sign(claims(aud=["vault", "other"]))
    assert of_token(authenticator, token, [ISSUER]) is None
    assert of_token(authenticator, token, ["vault"]) is not None


def test_a_signature_is_checked_once_all_else_each_time(
    authenticator: Authenticator, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, checked = authenticator.signer.sign(claims()), []
    verify = authenticator.signer.verify
    monkeypatch.setattr(authenticator.signer, "verify", lambda text: checked.append(text) or verify(text))
    for _ in range(3):
        assert of_token(authenticator, token, [ISSUER]) is not None
    assert checked == [token]
    accounts.uid = "u2"
    assert of_token(authenticator, token, [ISSUER]) is None, "another account of the same name"
    accounts.uid = None
    assert of_token(authenticator, token, [ISSUER]) is None, "no account any more"
    assert checked == [token]


def test_a_refused_token_is_not_remembered(authenticator: Authenticator) -> None:
    token = authenticator.signer.sign(claims())
    bad = token[: token.rindex(".") + 1] + "A" * 86
    for _ in range(2):
        assert of_token(authenticator, bad, [ISSUER]) is None
    assert of_token(authenticator, token, [ISSUER]) is not None
