"""Who may ask the log store: the API server is asked, with the caller's own token, by a SelfSubjectAccessReview.

The right is one on a nonResourceURL, with the verb `post`: `/ingest` for shippers, `/search` for whoever asks on behalf of
users. Answers are kept for a minute, refusals for ten seconds; while the API server is away, what was allowed stays so.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict

import orjson

from client.kubeconfig import Config
from web.client import HttpSession
from web.http1 import Refusal

log = logging.getLogger("logs.access")

KEEP, KEEP_REFUSAL, KEEP_AWAY = 60.0, 10.0, 600.0  # seconds
MOST = 256  # answers kept
MAX_TOKEN = 16_384  # characters
PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Access:
    """Checks bearer tokens; without a `config` everybody may do everything, for a store that only this machine reaches."""

    def __init__(self, config: Config | None) -> None:
        self._server = (
            HttpSession(
                config.server,
                tls=config.ssl_context(),
                connections=4,
                timeout=10.0,
                server_name=config.server_name,
                again=True,
            )
            if config
            else None
        )
        self._known: OrderedDict[tuple[bytes, str], tuple[float, Refusal | None]] = OrderedDict()

    async def check(self, authorization: str, right: str) -> None:
        """`authorization`: the request's header; `right`: a path. Raises Refusal."""
        if self._server is None:
            return
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip() or len(token) > MAX_TOKEN:
            raise Refusal(401, "send a service account's token: Authorization: Bearer …")
        key = hashlib.sha256(token.strip().encode()).digest(), right
        now = time.monotonic()
        at, refusal = self._known.get(key, (-1e9, None))
        if now - at > (KEEP_REFUSAL if refusal else KEEP):
            try:
                refusal = await self._ask(self._server, token.strip(), right)
            except (OSError, ValueError) as error:
                if refusal or now - at > KEEP_AWAY:
                    raise Refusal(503, f"the token could not be checked: {error!r}", {"Retry-After": "2"}) from error
                log.warning("a token could not be checked, it was good %.0f s ago: %r", now - at, error)
            else:
                self._remember(key, now, refusal)
        if refusal is not None:
            raise refusal

    def _remember(self, key: tuple[bytes, str], now: float, refusal: Refusal | None) -> None:
        self._known[key] = now, refusal
        self._known.move_to_end(key)
        while len(self._known) > MOST:
            self._known.popitem(last=False)

    async def _ask(self, server: HttpSession, token: str, right: str) -> Refusal | None:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"nonResourceAttributes": {"path": right, "verb": "post"}},
        }
        answer = await server.request(
            "POST", PATH, orjson.dumps(review), {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        )
        if answer.status == 401:
            return Refusal(401, "the API server does not know this token")
        # Who may not even ask (RBAC without system:basic-user) may not read either.
        if answer.status == 403 or (answer.status < 300 and not orjson.loads(answer.body)["status"].get("allowed")):
            return Refusal(
                403,
                f'this token may not post to {right}: a ClusterRole with nonResourceURLs ["{right}"] and '
                'verbs ["post"] allows it',
            )
        if answer.status >= 300:
            raise OSError(f"the API server answers {answer.status}")
        return None
