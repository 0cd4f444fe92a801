"""The dashboard's only line to the API server and the processes beside it: whether they live, whose a token is, pod logs
and what pods use. Nothing here writes.

Address and credential are those of the dashboard's own service account where it runs as a pod; else they come from the
environment (`BINNACLE_API_URL`, `BINNACLE_API_TOKEN_FILE`, `BINNACLE_API_CA`), which the supervisor and tests set.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import orjson

import environment
from client import healthz
from web import blocking
from web.client import HttpSession

MAX_ANSWER, MAX_METRICS = 4 << 20, 64 << 20  # bytes; 50,000 pods take 17 MB


class Endpoint(NamedTuple):
    """Where the API is and how to present oneself; files are read at each connection, since tokens rotate."""

    url: str
    token_file: Path | None
    ca_file: Path | None

    def headers(self) -> dict[str, str]:
        if self.token_file is None or not self.token_file.is_file():
            return {}
        return {"Authorization": f"Bearer {self.token_file.read_text().strip()}"}

    def tls(self) -> ssl.SSLContext | None:
        if not self.url.startswith("https:"):
            return None
        known = self.ca_file and self.ca_file.is_file()
        return ssl.create_default_context(cafile=str(self.ca_file) if known else None)


def endpoint() -> Endpoint:
    """The API server of the local cluster."""
    account, var = environment.SERVICE_ACCOUNT_DIR.get(), environment.VAR.get()
    url = environment.API_URL.get() or f"https://127.0.0.1:{environment.API_PORT.get()}"
    token_file = environment.API_TOKEN_FILE.get() or account / "token"
    ca_file = environment.API_CA.get() or next(
        (path for path in (account / "ca.crt", var / "pki" / "ca.crt") if path.is_file()), None
    )
    return Endpoint(url.rstrip("/"), token_file if token_file.is_file() else None, ca_file)


async def probe(timeout: float = 1.5) -> str:
    """Ask `/readyz` of the API server; "" when it is ready, else why not: what follows "the API server …"."""
    where = endpoint()
    return await healthz.ask(f"{where.url}/readyz", _context(where), timeout)


def processes() -> list[str]:
    """The other processes that the supervisor of this installation keeps; none where there is no supervisor."""
    without = environment.WITHOUT.get()
    known = healthz.PROCESSES if environment.NODE_ADDRESS.given else ()
    return [process for process in known if process not in without]


async def probe_process(process: str, timeout: float = 2.5) -> str:
    """Ask `/healthz` of one of `processes`; "" when it is well, else why not."""
    where = endpoint()
    url = healthz.page(process, environment.API_PORT.get(), environment.NODE_ADDRESS.get())
    return await healthz.ask(url, _context(where), timeout)


_contexts: dict[tuple[str, float], ssl.SSLContext | None] = {}


def _context(where: Endpoint) -> ssl.SSLContext | None:
    # Making a context reads the authority's file and costs milliseconds; it is made again when the file changes.
    changed = where.ca_file.stat().st_mtime if where.ca_file and where.ca_file.is_file() else 0.0
    key = (f"{where.url} {where.ca_file}", changed)
    if key not in _contexts:
        _contexts.clear()
        _contexts[key] = where.tls()
    return _contexts[key]


class Unreachable(Exception):
    """The API server did not answer; the question may be asked again later."""


def who_is(token: str, timeout: float = 5.0) -> dict[str, Any] | None:
    """The UserInfo of a token as the API server knows it, None when it does not. Blocking.

    A SelfSubjectReview is sent with the token itself: it stores nothing, and needs no right of the dashboard's.
    """
    body = b'{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}'
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    status, answer = _exchange("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body, headers, timeout)
    if status in (401, 403):
        return None
    if status not in (200, 201):
        raise Unreachable(f"the API server answers {status}")
    found = (orjson.loads(answer).get("status") or {}).get("userInfo") or {}
    anonymous = "system:unauthenticated" in (found.get("groups") or ())
    return found if found.get("username") and not anonymous else None


def pod_figures(namespace: str, timeout: float = 5.0) -> list[dict[str, Any]]:
    """What the pods of a namespace use now: the items of metrics.k8s.io. Blocking. Raises Unreachable."""
    found: list[dict[str, Any]] = orjson.loads(resource_metrics("pods", namespace, timeout)).get("items") or []
    return found


def resource_metrics(plural: str, namespace: str = "", timeout: float = 5.0) -> bytes:
    """The list of metrics.k8s.io: what `pods` (of a namespace, or all) or `nodes` use now. Blocking. Raises Unreachable."""
    place = f"namespaces/{quote(namespace, safe='')}/" if namespace else ""
    status, body = _exchange(
        "GET", f"/apis/metrics.k8s.io/v1beta1/{place}{plural}", None, endpoint().headers(), timeout, MAX_METRICS
    )
    if status != 200:
        raise Unreachable(_message(body, status))
    return body


def _exchange(
    method: str, path: str, body: bytes | None, headers: dict[str, str], timeout: float, limit: int = MAX_ANSWER
) -> tuple[int, bytes]:
    """Status and body of an answer of at most `limit` bytes. Blocking. Raises Unreachable."""
    where = endpoint()
    try:
        answer = blocking.request(
            where.url + path, method, body, headers, tls=_context(where), timeout=timeout, limit=limit
        )
    except OSError as error:
        raise Unreachable(f"the API server does not answer ({type(error).__name__})") from error
    return answer.status, answer.body


class LogError(Exception):
    """The API server would not give a log; the text is its message."""


@asynccontextmanager
async def open_log(namespace: str, pod: str, params: dict[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
    """A pod's log as chunks of bytes, as the API's `pods/log` gives it. Raises LogError with the server's own words."""
    where = endpoint()
    session = HttpSession(where.url, where.headers, _context(where))
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{urlencode(params)}"
    try:
        async with session.open("GET", path, None) as (answer, pieces):
            if answer.status != 200:
                raise LogError(_message(await anext(pieces, b""), answer.status))
            yield pieces
    except OSError as error:
        raise LogError(f"the API server cannot be reached: {error}") from error
    finally:
        session.close()


def _message(body: bytes, status: int) -> str:
    try:
        found: Any = orjson.loads(body)
        return str(found.get("message") or found)[:1_000]
    except (orjson.JSONDecodeError, AttributeError):
        return body.decode(errors="replace")[:1_000] or f"the API server answers {status}"
