"""ValidatingWebhookConfiguration: webhooks that may refuse a write, all asked at the same time."""

from __future__ import annotations

from cluster.admission.request import Request
from cluster.admission.webhooks.asking import ask
from cluster.admission.webhooks.hook import VALIDATING, hooks
from cluster.plan import Plan


def validate(request: Request) -> Plan[None]:
    """Raises ApiError when a webhook refuses, or fails and may not."""
    asked = [(hook, kind) for hook in hooks(request, VALIDATING) if (kind := hook.concerns(request)) is not None]
    if asked:
        yield from ask(asked, request, "validating")
