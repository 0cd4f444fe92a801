"""Whether a bearer token may read a page: the API server is asked, with that token, by a SelfSubjectAccessReview.

So whoever asks needs no rights of its own, and RBAC decides: the ClusterRole `system:monitoring` allows `get` of `/metrics`
and of nodes/metrics.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

OK, UNAUTHORIZED, FORBIDDEN, UNAVAILABLE = 200, 401, 403, 503
KEEP = 30.0  # seconds an answer counts
KEPT = 256  # answers kept
PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
TIMEOUT = 5.0


class Access:
    """`server`: the API's URL; `ca`: PEM text of the authority that its certificate must come from. Thread-safe, blocking."""

    def __init__(self, server: str, ca: str | None = None) -> None:
        self._server, self._ca = server, ca
        self._known: dict[tuple[bytes, str], tuple[float, int]] = {}
        self._lock = threading.Lock()
        self._opener: OpenerDirector | None = None

    def check(self, authorization: str, path: str) -> int:
        """The status for a request with this Authorization header: 200, 401, 403, or 503 when the API cannot be asked."""
        return self._check(authorization, {"nonResourceAttributes": {"path": path, "verb": "get"}})

    def check_resource(self, authorization: str, resource: str, subresource: str, name: str) -> int:
        """As `check`, for `get` of a cluster-scoped object's subresource."""
        about = {"resource": resource, "subresource": subresource, "name": name, "verb": "get"}
        return self._check(authorization, {"resourceAttributes": about})

    def _check(self, authorization: str, spec: dict[str, dict[str, str]]) -> int:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return UNAUTHORIZED
        key = hashlib.sha256(token.strip().encode()).digest(), json.dumps(spec)
        known = self._known.get(key)
        if known is not None and time.monotonic() - known[0] < KEEP:
            return known[1]
        status = self._ask(token.strip(), spec)
        if status != UNAVAILABLE:
            with self._lock:
                while len(self._known) >= KEPT:
                    del self._known[next(iter(self._known))]
                self._known[key] = time.monotonic(), status
        return status

    def _ask(self, token: str, spec: dict[str, dict[str, str]]) -> int:
        import urllib.error
        import urllib.request

        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
        try:
            request = urllib.request.Request(
                self._server + PATH,
                json.dumps(review).encode(),
                {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/json"},
            )
            with self._open().open(request, timeout=TIMEOUT) as answer:
                allowed = json.load(answer)["status"].get("allowed")
        except urllib.error.HTTPError as error:
            error.close()
            return error.code if error.code in (UNAUTHORIZED, FORBIDDEN) else UNAVAILABLE
        except (OSError, ValueError, KeyError):
            return UNAVAILABLE
        return OK if allowed else FORBIDDEN

    def _open(self) -> OpenerDirector:
        if self._opener is None:
            import ssl
            import urllib.request

            context = ssl.create_default_context(cadata=self._ca)
            # No proxies: the token is for the API server alone.
            self._opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
            )
        return self._opener
