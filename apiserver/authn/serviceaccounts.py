"""Tokens of service accounts: signed claims, valid as long as the account and the bound object live."""

from __future__ import annotations

import base64
import hmac
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cluster.cache import Cache, Entry
from cluster.store import Key
from cluster.tokens import ISSUER, LEGACY_CLAIM, LEGACY_ISSUER, InvalidToken, Signer
from kube import clock
from kube.users import User, credential, service_account

# Claim name → storage of the objects that a token may be bound to.
BOUND = {"pod": "pods", "secret": "secrets", "node": "nodes"}
LEEWAY = 60.0  # seconds by which clocks may differ; so long, too, what is being deleted still counts as there
# The life that the volumes of pods ask for, and what they get: old clients read their token once, and only warn after it.
POD_TOKEN_SECONDS, EXTENDED_SECONDS = 3607, 365 * 24 * 3600
INVALIDATED = "service account token has been invalidated"
_EXTRA = "authentication.kubernetes.io/"


@dataclass(frozen=True, slots=True)
class Settings:
    """How tokens are issued and checked, as the options `--service-account-…` and `--api-audiences` say."""

    issuers: tuple[str, ...] = (ISSUER,)  # the first issues, all are accepted
    audiences: tuple[str, ...] = ()  # of the API; empty: the issuers
    key_files: tuple[Path, ...] = ()  # keys that verify; empty: those beside the key that signs
    jwks_uri: str = ""  # where others find the keys; empty: at this server
    max_seconds: int = 0  # 0: no bound but the API's own
    extend: bool = True

    @property
    def api_audiences(self) -> list[str]:
        return list(self.audiences or self.issuers)


class Subject(NamedTuple):
    """Whom a token names, for which of the audiences that were asked for, and what the audit log shall say of it."""

    user: User
    audiences: list[str]
    annotations: dict[str, str]


def claims_of(
    issuer: str,
    account: Entry,
    audiences: list[str],
    seconds: int,
    bound: dict[str, Any] | None = None,
    warn_after: int = 0,
) -> dict[str, Any]:
    """The claims of a new token. `bound`: name and uid by claim (pod, secret, node); `warn_after`: seconds."""
    now = int(time.time())
    private: dict[str, Any] = {
        "namespace": account.key.namespace,
        "serviceaccount": {"name": account.key.name, "uid": account.meta.uid},
        **(bound or {}),
    }
    if warn_after:
        private["warnafter"] = now + warn_after
    return {
        "aud": audiences,
        "exp": now + seconds,
        "iat": now,
        "iss": issuer,
        "jti": str(uuid.uuid4()),
        "kubernetes.io": private,
        "nbf": now,
        "sub": f"system:serviceaccount:{account.key.namespace}:{account.key.name}",
    }


def identify(signer: Signer, cache: Cache, token: str, settings: Settings, audiences: list[str]) -> Subject:
    """Whom a token stands for. Raises InvalidToken, with the reason, for one that is not valid now, or not for these."""
    claims = signer.verify(token)
    if claims.get("iss") == LEGACY_ISSUER:
        user = _legacy(cache, claims, token)
        note = {"authentication.k8s.io/legacy-token": str(claims.get("sub"))}
        return Subject(user, _meant(settings.api_audiences, audiences), note)
    if claims.get("iss") not in settings.issuers:
        raise InvalidToken("another issuer")
    meant = _meant(claims.get("aud") or settings.api_audiences, audiences)
    now = time.time()
    if now - LEEWAY > claims.get("exp", 0):
        raise InvalidToken("service account token has expired")
    if now + LEEWAY < claims.get("nbf", 0):
        raise InvalidToken("service account token is not valid yet")
    private = claims.get("kubernetes.io") or {}
    account = private.get("serviceaccount") or {}
    namespace, name = private.get("namespace", ""), account.get("name", "")
    _account(cache, namespace, name, account.get("uid"))
    for claim, storage in BOUND.items():
        if claim in private and not (claim == "node" and "pod" in private):  # the node of a pod is only told
            _still_there(
                cache, Key(storage, "" if claim == "node" else namespace, private[claim]["name"]), private[claim]
            )
    user = service_account(namespace, name, account.get("uid", ""), _extra(claims, private))
    return Subject(user, meant, _stale(claims, private, now))


def _meant(token: list[str], asked: list[str]) -> list[str]:
    meant = [audience for audience in token if audience in asked]
    if not meant:
        raise InvalidToken(f"token audiences {_quoted(token)} is invalid for the target audiences {_quoted(asked)}")
    return meant


def _quoted(words: list[str]) -> str:
    return "[" + " ".join(f'"{word}"' for word in words) + "]"


def _extra(claims: dict[str, Any], private: dict[str, Any]) -> dict[str, list[str]]:
    extra = credential("JTI", claims["jti"]) if claims.get("jti") else {}
    for claim in ("node", "pod"):
        for field, value in (private.get(claim) or {}).items():
            extra[f"{_EXTRA}{claim}-{field}"] = [value]
    return extra


def _stale(claims: dict[str, Any], private: dict[str, Any], now: float) -> dict[str, str]:
    over = int(now) - private.get("warnafter", now)
    if over <= 0:
        return {}
    text = f"subject: {claims.get('sub')}, seconds after warning threshold: {over}"
    return {"authentication.k8s.io/stale-token": text}


def _legacy(cache: Cache, claims: dict[str, Any], token: str) -> User:
    namespace, name, uid, secret = (
        claims.get(LEGACY_CLAIM + part) or ""
        for part in ("namespace", "service-account.name", "service-account.uid", "secret.name")
    )
    _account(cache, namespace, name, uid)
    entry = _entry(cache, Key("secrets", namespace, secret))
    held = ((entry.object().get("data") or {}) if entry is not None else {}).get("token") or ""
    if entry is None or _deleted(entry) or not hmac.compare_digest(base64.b64decode(held), token.encode()):
        raise InvalidToken("Token has been invalidated")
    return service_account(namespace, name, uid)


def _account(cache: Cache, namespace: str, name: str, uid: str | None) -> None:
    entry = _entry(cache, Key("serviceaccounts", namespace, name))
    if entry is None:
        raise InvalidToken(f'serviceaccounts "{name}" not found')
    if _deleted(entry):
        raise InvalidToken(f"service account {namespace}/{name} has been deleted")
    if uid != entry.meta.uid:
        raise InvalidToken(f"service account UID ({entry.meta.uid}) does not match claim ({uid})")


def _still_there(cache: Cache, key: Key, reference: dict[str, Any]) -> None:
    entry = _entry(cache, key)
    if entry is None or _deleted(entry) or reference.get("uid") != entry.meta.uid:
        raise InvalidToken(INVALIDATED)


def _entry(cache: Cache, key: Key) -> Entry | None:
    entry = cache.get(key)
    if entry is None:
        cache.refresh()
        entry = cache.get(key)
    return entry


def _deleted(entry: Entry) -> bool:
    since = entry.meta.deletionTimestamp
    return since is not None and clock.parse(since) < time.time() - LEEWAY
