"""/healthz, /livez, /readyz: whether this server works, check by check."""

from __future__ import annotations

from collections.abc import Callable

from apiserver import response
from apiserver.request import Request
from apiserver.response import Answer
from apiserver.state import State

STALE = 10.0  # seconds without a look at the log after which reads cannot be trusted


def store_answers(state: State) -> str:
    state.store.revision()
    return ""


Check = Callable[[State], str]  # what is wrong, "" for nothing
CHECKS: dict[str, Check] = {
    "ping": lambda state: "",
    "log": lambda state: "",
    "etcd": store_answers,
    "informer-sync": lambda state: (
        "" if state.cache.age < STALE else f"the log was last read {state.cache.age:.0f}s ago"
    ),
}
READY: dict[str, Check] = {
    **CHECKS,
    "shutdown": lambda state: "process is shutting down" if state.stopping else "",
}


async def handle(request: Request) -> Answer:
    """Answer `/healthz`, `/livez`, `/readyz`, with `?verbose`, `?exclude=`, or a single check as the last part."""
    _, endpoint, *only = request.info.path.rstrip("/").split("/")
    checks = READY if endpoint == "readyz" else CHECKS
    if only:
        if only[0] not in checks:
            return response.page_not_found()
        checks = {only[0]: checks[only[0]]}
    excluded = request.queries("exclude")
    lines, failed = [], []
    for name, check in checks.items():
        problem = "" if name in excluded else run(check, request.state)
        lines.append(
            f"[{'-' if problem else '+'}]{name} "
            + ("excluded: ok" if name in excluded else f"failed: {problem}" if problem else "ok")
        )
        if problem:
            failed.append(name)
    if failed:
        return response.text("\n".join([*lines, f"{endpoint} check failed", ""]), 500)
    verbose = request.has_query("verbose")
    return response.text("\n".join([*lines, f"{endpoint} check passed", ""]) if verbose else "ok")


def run(check: Check, state: State) -> str:
    try:
        return check(state)
    except Exception as error:  # whatever the check trips over is what the caller wants to know
        return f"{type(error).__name__}: {error}"
