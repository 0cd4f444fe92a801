"""connect: what admission says of a connection to an object (exec, attach, port-forward, proxy) before it is opened."""

from __future__ import annotations

from dataclasses import replace

from cluster.admission import webhooks
from cluster.admission.plugin import CONNECT
from cluster.admission.request import Request
from cluster.plan import Plan
from cluster.verbs.call import Call
from kube.objects import Json


def plan(call: Call, options: Json) -> Plan[None]:
    """Ask about a connection with `options` (PodExecOptions and the like). Raises ApiError where it is refused.

    A webhook may look at the options, but what it changes in them has no effect.
    """
    request = Request.of(call, CONNECT, options)
    # The object is the options; the resource is that which is connected to.
    request.kind = request.asked = replace(
        request.asked, kind=options["kind"], storage=request.kind.storage, singular=""
    )
    call.session.chain.mutate(request)
    yield from webhooks.mutate(request)
    yield from webhooks.validate(request)
    call.session.chain.validate(request)
