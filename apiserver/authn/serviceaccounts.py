"""Tokens of service accounts: signed claims, valid as long as the account and the bound object live."""

from __future__ import annotations

import base64
import hmac
import time
from typing import Any, NamedTuple

from cluster.cache import Cache, Entry
from cluster.store import Key
from cluster.tokens import ISSUER, LEGACY_CLAIM, LEGACY_ISSUER, InvalidToken, Signer
from kube.users import User, service_account

# Claim name → storage of the objects that a token may be bound to.
BOUND = {"pod": "pods", "secret": "secrets", "node": "nodes"}


class Subject(NamedTuple):
    """Whom a token names: the account, and until when (epoch seconds) the answer may be remembered."""

    user: User
    audiences: list[str]
    expires: float


def claims_of(account: Entry, audiences: list[str], seconds: int, bound: tuple[str, Entry] | None) -> dict[str, Any]:
    """The claims of a new token, `bound` to a (pod, secret, node) entry."""
    now = int(time.time())
    private: dict[str, Any] = {
        "namespace": account.key.namespace,
        "serviceaccount": {"name": account.key.name, "uid": account.meta.uid},
    }
    if bound:
        private[bound[0]] = {"name": bound[1].key.name, "uid": bound[1].meta.uid}
        if bound[0] == "pod" and bound[1].node:
            private["node"] = {"name": bound[1].node}
    return {
        "aud": audiences,
        "exp": now + seconds,
        "iat": now,
        "nbf": now,
        "iss": ISSUER,
        "kubernetes.io": private,
        "sub": f"system:serviceaccount:{account.key.namespace}:{account.key.name}",
    }


def identify(signer: Signer, cache: Cache, token: str) -> Subject:
    """Whom a token stands for. Raises InvalidToken, with the reason, for one that is not valid now."""
    claims = signer.verify(token)
    if claims.get("iss") == LEGACY_ISSUER:
        return _legacy(cache, claims, token)
    if claims.get("iss") != ISSUER:
        raise InvalidToken("another issuer")
    now = time.time()
    if not claims.get("nbf", 0) - 10 <= now < claims.get("exp", 0):
        raise InvalidToken("service account token has expired")
    private = claims.get("kubernetes.io") or {}
    account = private.get("serviceaccount") or {}
    namespace, name = private.get("namespace", ""), account.get("name", "")
    _alive(cache, Key("serviceaccounts", namespace, name), account.get("uid"))
    extra: dict[str, list[str]] = {}
    for claim, storage in BOUND.items():
        if claim in private:
            reference = private[claim]
            if reference.get("uid"):
                _alive(cache, Key(storage, "" if claim == "node" else namespace, reference["name"]), reference["uid"])
                extra[f"authentication.kubernetes.io/{claim}-uid"] = [reference["uid"]]
            extra[f"authentication.kubernetes.io/{claim}-name"] = [reference["name"]]
    return Subject(
        service_account(namespace, name, account.get("uid", ""), extra), claims.get("aud") or [], claims["exp"]
    )


def _legacy(cache: Cache, claims: dict[str, Any], token: str) -> Subject:
    namespace, name, uid, secret = (
        claims.get(LEGACY_CLAIM + part) or ""
        for part in ("namespace", "service-account.name", "service-account.uid", "secret.name")
    )
    _alive(cache, Key("serviceaccounts", namespace, name), uid)
    held = _alive(cache, Key("secrets", namespace, secret), None).object().get("data") or {}
    if not hmac.compare_digest(base64.b64decode(held.get("token") or ""), token.encode()):
        raise InvalidToken(f"the secret {namespace}/{secret} holds another token by now")
    return Subject(service_account(namespace, name, uid), [], float("inf"))


def _alive(cache: Cache, key: Key, uid: str | None) -> Entry:
    entry = cache.get(key)
    if entry is None:
        cache.refresh()
        entry = cache.get(key)
    if entry is None or (uid and entry.meta.uid != uid):
        raise InvalidToken(f"{key.storage} {key.namespace}/{key.name} of the token does not exist any more")
    return entry
