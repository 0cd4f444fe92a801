"""What handlers of subresources share."""

from __future__ import annotations

from typing import Any

from apiserver.request import Request
from cluster.errors import BadRequest, MethodNotAllowed


def only(request: Request, *verbs: str) -> None:
    """Raises MethodNotAllowed for any other verb."""
    if request.info.verb not in verbs:
        raise MethodNotAllowed("the server does not allow this method on the requested resource", details={})


async def posted(request: Request, *kinds: str) -> dict[str, Any]:
    """The posted object. Raises BadRequest when it says to be of another kind."""
    only(request, "create")
    obj = await request.json()
    if obj.get("kind") and obj["kind"] not in kinds:
        raise BadRequest(f'no kind "{obj["kind"]}" is registered for this path: it takes {kinds[0]}')
    obj.setdefault("metadata", {})
    return obj
