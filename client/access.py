"""Who may see a page of ours: the API server is asked, with the caller's own token, by a SelfSubjectAccessReview.

So RBAC decides, and who asks needs no rights of its own. Answers are kept for a minute, refusals for ten seconds; while the
API server is away, what was allowed lately stays so: figures and logs are wanted most when something is down.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace

import orjson

from client.kubeconfig import Config
from web.client import HttpSession
from web.http1 import Refusal

log = logging.getLogger(__name__)

KEEP, KEEP_REFUSAL, KEEP_AWAY = 60.0, 10.0, 600.0  # seconds
MOST = 1024  # answers kept
MAX_TOKEN = 16_384  # characters
PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

Verdict = Refusal | None  # None: it is allowed


class Decisions:
    """What was decided lately, bounded. For one event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, tuple[float, Verdict]] = OrderedDict()

    async def of(self, key: Hashable, ask: Callable[[], Awaitable[Verdict]]) -> None:
        """Raises the Refusal, where it is one. `ask` is awaited when nothing is known that is young enough; it may raise
        OSError or ValueError: nobody can be asked."""
        now = time.monotonic()
        at, refusal = self._known.get(key, (-1e9, None))
        if now - at > (KEEP_REFUSAL if refusal else KEEP):
            try:
                refusal = await ask()
            except (OSError, ValueError) as error:
                if refusal or now - at > KEEP_AWAY:
                    raise Refusal(503, f"who asks could not be checked: {error!r}", {"Retry-After": "2"}) from error
                log.warning("who asks could not be checked, it was allowed %.0f s ago: %r", now - at, error)
            else:
                self._known[key] = now, refusal
                self._known.move_to_end(key)
                while len(self._known) > MOST:
                    self._known.popitem(last=False)
        if refusal is not None:
            raise Refusal(refusal.status, str(refusal), refusal.headers)


def bearer(authorization: str) -> str:
    """The token of an Authorization header. Raises Refusal."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN:
        raise Refusal(401, "send a service account's token: Authorization: Bearer …")
    return token


class Access:
    """Checks bearer tokens at the API server of `config`; None: everybody may do everything, on pages that only this machine
    reaches. What else `config` says of who we are is not used."""

    def __init__(self, config: Config | None) -> None:
        self._decisions = Decisions()
        self._server: HttpSession | None = None
        if config is not None:
            # A certificate of ours would be believed before the caller's token.
            tls = replace(config, client_cert=None, client_key=None).ssl_context()
            self._server = HttpSession(
                config.server, tls=tls, connections=4, timeout=10.0, server_name=config.server_name, again=True
            )

    async def check(self, authorization: str, path: str, verb: str = "get") -> None:
        """Whether who sends this header may `verb` the nonResourceURL `path`. Raises Refusal: 401, 403 or 503."""
        server = self._server
        if server is None:
            return
        token = bearer(authorization)

        async def ask() -> Verdict:
            review = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"nonResourceAttributes": {"path": path, "verb": verb}},
            }
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            answer = await server.request("POST", PATH, orjson.dumps(review), headers)
            if answer.status == 401:
                return Refusal(401, "the API server does not know this token")
            # Who may not even ask (RBAC without system:basic-user) may not see anything either.
            if answer.status != 403 and answer.status >= 300:
                raise OSError(f"the API server answers {answer.status}")
            if answer.status < 300 and orjson.loads(answer.body)["status"].get("allowed"):
                return None
            return Refusal(
                403,
                f'this token may not {verb} {path}: a ClusterRole with nonResourceURLs ["{path}"] and '
                f'verbs ["{verb}"] allows it',
            )

        await self._decisions.of((hashlib.sha256(token.encode()).digest(), path, verb), ask)
