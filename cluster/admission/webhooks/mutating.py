"""MutatingWebhookConfiguration: webhooks that may change what is written, one after the other."""

from __future__ import annotations

import copy

from cluster.admission.plugin import CONNECT, DELETE
from cluster.admission.policies.expressions import seen
from cluster.admission.policies.mutating import stored
from cluster.admission.request import Request
from cluster.admission.webhooks.asking import ask
from cluster.admission.webhooks.hook import MUTATING, Hook, hooks
from cluster.plan import Plan
from kube import schema
from kube.errors import ApiError
from kube.patch import jsonpatch


def mutate(request: Request) -> Plan[bool]:
    """Let every webhook change `request.obj`; whether one did. Raises ApiError when one refuses, or fails and may not.

    Those with `reinvocationPolicy: IfNeeded` are asked once more when one after them has changed the object.
    """
    asked: list[Hook] = []
    last = -1
    for hook in hooks(request, MUTATING):
        if (yield from _turn(hook, request)):
            last = len(asked)
        asked.append(hook)
    for hook in asked[: max(last, 0)]:
        if hook.config.get("reinvocationPolicy") == "IfNeeded":
            yield from _turn(hook, request)
    return last >= 0


def _turn(hook: Hook, request: Request) -> Plan[bool]:
    """Ask one webhook, if it is concerned; whether it changed the object."""
    kind = hook.concerns(request)
    if kind is None:
        return False
    answer = (yield from ask([(hook, kind)], request, "admit"))[0]
    if answer is None or not answer.patch or request.operation in (DELETE, CONNECT):
        return False
    before = seen(request.obj, request.kind, kind)
    try:
        after = stored(jsonpatch.apply(copy.deepcopy(before), answer.patch), request, kind)
    except (ApiError, schema.Mismatch) as error:
        hook.failed(f"its patch cannot be applied: {'; '.join([str(error), *getattr(error, '__notes__', ())])}")
        return False
    changed, request.obj = after != request.obj, after
    return changed
