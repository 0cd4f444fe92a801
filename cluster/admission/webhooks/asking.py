"""A question to a webhook, made ready, and asked."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from cluster.admission.request import Request
from cluster.admission.webhooks import review
from cluster.admission.webhooks.hook import Hook
from cluster.plan import Ask, Plan
from kube.registry import Kind

if TYPE_CHECKING:
    from cluster.admission.webhooks import calling

Outcome = review.Answer | Exception


def ask(asked: Sequence[tuple[Hook, Kind]], request: Request) -> Plan[list[review.Answer | None]]:
    """The answers of webhooks that are asked at the same time; None for one that failed and may.

    Raises ApiError for one that failed and may not, or does not allow the write: the first in order.
    """
    request.reviewed = True
    outcomes: list[Outcome] = yield Ask(
        partial(_all, [(hook, *_question(hook, kind, request)) for hook, kind in asked])
    )
    answers: list[review.Answer | None] = []
    for (hook, _), outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome, Exception):
            hook.failed(str(outcome))
            answers.append(None)
            continue
        request.warnings += outcome.warnings
        if not outcome.allowed:
            raise hook.denied(outcome.status)
        answers.append(outcome)
    return answers


Question = tuple[Hook, "calling.Place | Exception", str, dict[str, object]]


def _question(hook: Hook, kind: Kind, request: Request) -> tuple[calling.Place | Exception, str, dict[str, object]]:
    # Here, not in the thread: what is looked up belongs to this moment of the cluster.
    from cluster.admission.webhooks import calling  # most clusters have no webhooks, and TLS takes memory

    uid, body = review.question(request, kind, hook.config.get("admissionReviewVersions") or [])
    try:
        return calling.place(hook.config["clientConfig"], request.find), uid, body
    except calling.Unreachable as error:
        return error, uid, body


def _all(questions: Sequence[Question]) -> list[Outcome]:
    if len(questions) == 1:
        return [_one(questions[0])]
    with ThreadPoolExecutor(len(questions), "webhook") as pool:
        return list(pool.map(_one, questions))


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
