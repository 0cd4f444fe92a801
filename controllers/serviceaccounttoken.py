"""Secrets of type kubernetes.io/service-account-token: filled with a token of their account, gone with the account."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from cluster.cache import Cache, Entry
from cluster.store import Key
from cluster.tokens import LEGACY_CLAIM, LEGACY_ISSUER, Signer
from controllers import pki
from controllers.runtime import Context, Controller, Result, Watch, join_key, split_key
from kube.errors import NotFound
from kube.objects import Json

TYPE = "kubernetes.io/service-account-token"
FILLED = {"ca.crt", "namespace", "token"}
ACCOUNT, ACCOUNT_UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"


def own_tokens(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the Secret itself, when it may be one of these."""
    if TYPE.encode() in entry.body:
        yield join_key(entry.key.namespace, entry.key.name)


def tokens_of(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the Secrets of an account."""
    for secret in cache.list("secrets", entry.key.namespace):
        if TYPE.encode() in secret.body and account_of(secret.object()) == entry.key.name:
            yield join_key(secret.key.namespace, secret.key.name)


def account_of(secret: Json) -> str:
    """The name of the account whose token a Secret is for; empty when it is none of these."""
    return (secret["metadata"].get("annotations") or {}).get(ACCOUNT, "") if secret.get("type") == TYPE else ""


class ServiceAccountTokenController(Controller):
    """Key: a Secret."""

    name = "serviceaccount-token"
    watches = (
        Watch("secrets", own_tokens),
        Watch("serviceaccounts", tokens_of, lambda event: event.type != "MODIFIED"),
    )

    def __init__(self) -> None:
        self._signer: Signer | None = None

    def reconcile(self, key: str, ctx: Context) -> Result:
        namespace, name = split_key(key)
        entry = ctx.cache.get(Key("secrets", namespace, name))
        secret = entry.object() if entry is not None and not entry.meta.deletionTimestamp else None
        if entry is None or secret is None or not account_of(secret):
            return None
        account = ctx.cache.get(Key("serviceaccounts", namespace, account_of(secret)))
        named = secret["metadata"]["annotations"].get(ACCOUNT_UID)
        if account is None or (named and named != account.meta.uid):
            try:
                ctx.session.delete("secrets", namespace, name, {"preconditions": {"uid": entry.meta.uid}})
            except NotFound:
                return None
        elif named is None or not (secret.get("data") or {}).keys() >= FILLED:
            made = self._made(name, account)

            def fill(found: Json) -> None:
                found["metadata"]["annotations"][ACCOUNT_UID] = account.meta.uid
                found["data"] = {**made, **(found.get("data") or {})}

            ctx.session.mutate("secrets", namespace, name, fill)
        return None

    def _made(self, secret: str, account: Entry) -> dict[str, str]:
        """The data of a Secret, encoded."""
        self._signer = self._signer or Signer(pki.accounts_key())
        namespace, name = account.key.namespace, account.key.name
        claims = {
            "namespace": namespace,
            "secret.name": secret,
            "service-account.name": name,
            "service-account.uid": account.meta.uid,
        }
        token = self._signer.sign(
            {
                "iss": LEGACY_ISSUER,
                "sub": f"system:serviceaccount:{namespace}:{name}",
                **{LEGACY_CLAIM + claim: value for claim, value in claims.items()},
            }
        )
        return {
            key: base64.b64encode(text.encode()).decode()
            for key, text in (("ca.crt", pki.authority()), ("namespace", namespace), ("token", token))
        }
