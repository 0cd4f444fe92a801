"""Who may ask the monitoring API: a bearer token that the API server knows, of somebody who may `get` a nonResourceURL.

Answers are remembered for a minute, refusals for ten seconds; while the API server is away, what was allowed lately stays so.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict

from client import ApiStatusError, Client
from web.http1 import Refusal

log = logging.getLogger("monitoring")

KEEP, KEEP_REFUSAL, KEEP_AWAY = 60.0, 10.0, 600.0  # seconds
MOST = 256  # answers remembered
MAX_TOKEN = 16_384  # characters


class Access:
    """Asks TokenReview, then SubjectAccessReview."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: OrderedDict[tuple[bytes, str], tuple[float, Refusal | None]] = OrderedDict()

    async def check(self, authorization: str, path: str) -> None:
        """`authorization`: the request's header. Raises Refusal."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip() or len(token) > MAX_TOKEN:
            raise Refusal(401, "send a service account's token: Authorization: Bearer …")
        key = hashlib.sha256(token.encode()).digest(), path
        now = time.monotonic()
        at, refusal = self._known.get(key, (-1e9, None))
        if now - at > (KEEP_REFUSAL if refusal else KEEP):
            try:
                refusal = await self._ask(token.strip(), path)
            except (ApiStatusError, OSError) as error:
                if refusal or now - at > KEEP_AWAY:
                    raise Refusal(503, f"the token could not be checked: {error or type(error).__name__}") from error
                log.warning("a token could not be checked, it was good %.0f s ago: %s", now - at, error)
            else:
                self._remember(key, now, refusal)
        if refusal is not None:
            raise Refusal(refusal.status, str(refusal))

    def _remember(self, key: tuple[bytes, str], now: float, refusal: Refusal | None) -> None:
        self._known[key] = now, refusal
        self._known.move_to_end(key)
        while len(self._known) > MOST:
            self._known.popitem(last=False)

    async def _ask(self, token: str, path: str) -> Refusal | None:
        review = await self._client.create(
            "/apis/authentication.k8s.io/v1/tokenreviews",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}},
        )
        status = review.get("status") or {}
        user = status.get("user") or {}
        if not status.get("authenticated") or not user.get("username"):
            return Refusal(401, "the API server does not know this token")
        answer = await self._client.create(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {
                    "user": user["username"],
                    "groups": user.get("groups") or [],
                    "uid": user.get("uid") or "",
                    "nonResourceAttributes": {"path": path, "verb": "get"},
                },
            },
        )
        if (answer.get("status") or {}).get("allowed"):
            return None
        return Refusal(
            403,
            f'{user["username"]} may not get {path}: a ClusterRole with nonResourceURLs ["{path}"] '
            'and verbs ["get"] allows it',
        )
