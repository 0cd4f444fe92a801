"""A question to a webhook, made ready, and asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from cluster.admission.request import Request
from cluster.admission.webhooks import metrics, review
from cluster.admission.webhooks.hook import Hook
from cluster.plan import Ask, Plan
from kube.registry import Kind

if TYPE_CHECKING:
    from cluster.admission.webhooks import calling

Outcome = review.Answer | Exception


def ask(asked: Sequence[tuple[Hook, Kind]], request: Request, sort: str) -> Plan[list[review.Answer | None]]:
    """The answers of webhooks that are asked at the same time; None for one that failed and may.

    `sort`: admit or validating, for the metrics. Raises ApiError for one that failed and may not, or does not allow the
    write: the first in order.
    """
    request.reviewed = True
    outcomes: list[tuple[Outcome, float]] = yield Ask(
        partial(_all, [(hook, *_question(hook, kind, request)) for hook, kind in asked])
    )
    # All are counted before the first that refuses ends it.
    for (hook, _), (outcome, seconds) in zip(asked, outcomes, strict=True):
        _count(hook, sort, request.operation, outcome, seconds)
    return [_settled(hook, outcome, request) for (hook, _), (outcome, _) in zip(asked, outcomes, strict=True)]


def _settled(hook: Hook, outcome: Outcome, request: Request) -> review.Answer | None:
    if isinstance(outcome, Exception):
        hook.failed(str(outcome))
        return None
    request.warnings += outcome.warnings
    if not outcome.allowed:
        raise hook.denied(outcome.status)
    return outcome


def _count(hook: Hook, sort: str, operation: str, outcome: Outcome, seconds: float) -> None:
    if isinstance(outcome, Exception):
        metrics.failed(hook.name, sort, operation, seconds, hook.may_fail)
    elif outcome.allowed:
        metrics.allowed(hook.name, sort, operation, seconds)
    else:
        metrics.refused(hook.name, sort, operation, seconds, hook.denied(outcome.status).code)


Question = tuple[Hook, "calling.Place | Exception", str, dict[str, object]]


def _question(hook: Hook, kind: Kind, request: Request) -> tuple[calling.Place | Exception, str, dict[str, object]]:
    # Here, not in the thread: what is looked up belongs to this moment of the cluster.
    from cluster.admission.webhooks import calling  # most clusters have no webhooks, and TLS takes memory

    uid, body = review.question(request, kind, hook.config.get("admissionReviewVersions") or [])
    try:
        return calling.place(hook.config["clientConfig"], request.find), uid, body
    except calling.Unreachable as error:
        return error, uid, body


def _all(questions: Sequence[Question]) -> list[tuple[Outcome, float]]:
    if len(questions) == 1:
        return [_timed(questions[0])]
    with ThreadPoolExecutor(len(questions), "webhook") as pool:
        return list(pool.map(_timed, questions))


def _timed(question: Question) -> tuple[Outcome, float]:
    """The outcome, and the seconds that it took."""
    started = time.perf_counter()
    return _one(question), time.perf_counter() - started


def _one(question: Question) -> Outcome:
    from cluster.admission.webhooks import calling

    hook, where, uid, body = question
    if isinstance(where, Exception):
        return where
    config = hook.config
    try:
        text = calling.post(
            where, config["clientConfig"].get("caBundle") or "", body, config.get("timeoutSeconds") or 10
        )
        return review.answer(text, uid)
    except (calling.Unreachable, review.Malformed) as error:
        return error
