"""deletecollection: delete everything that selectors match, in few commits."""

from __future__ import annotations

from dataclasses import replace

from cluster.plan import Plan, together
from cluster.verbs import delete, select
from cluster.verbs.call import Call, Outcome
from kube.errors import ApiError, NotFound
from kube.objects import Json


def plan(call: Call, options: Json, labels: str = "", fields: str = "") -> Plan[list[Outcome]]:
    """Delete the matching objects of a namespace (of all, with none); the outcome of each. Raises the first error."""
    delete.check_options(options)
    call.session.cache.refresh()
    chosen = select.entries(call.kind, call.session.cache, call.namespace or None, labels, fields)
    outcomes: list[Outcome | ApiError] = yield from together(
        delete.plan(replace(call, namespace=entry.key.namespace, name=entry.key.name), options) for entry in chosen
    )
    for outcome in outcomes:
        # Somebody else deleted it first: the same end.
        if isinstance(outcome, ApiError) and not isinstance(outcome, NotFound):
            raise outcome
    return [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
