"""May this user do this: the question to `cluster.authz`, and the refusal in the words of Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.rbac import Attributes
from kube import selectors
from kube.errors import Forbidden
from kube.users import User

if TYPE_CHECKING:
    from apiserver.request import Request


def attributes(request: Request) -> Attributes:
    """What a request wants to do."""
    info = request.info
    if not info.is_resource:
        return Attributes(info.verb, path=info.path)
    name = info.name
    if not name and info.verb in ("list", "watch", "deletecollection") and request.query("fieldSelector"):
        # A collection restricted to one name by a field selector counts as that object.
        asked = selectors.parse_fields(request.query("fieldSelector"))
        names = [value for field, value, equal in asked if field == "metadata.name" and equal]
        name = names[0] if len(names) == 1 else ""
    return Attributes(info.verb, info.group, info.resource, info.subresource, info.namespace, name)


async def authorize(request: Request) -> None:
    """Raises Forbidden when the request's user may not do what it wants."""
    event = request.event
    if request.user.is_master:
        if event is not None:
            event.decided(True)
        return
    want = attributes(request)
    decision = await request.state.authorizers.decide(request.user, want, request.info.version)
    if event is not None:
        event.decided(decision.allowed, decision.reason)
    if not decision.allowed:
        raise forbidden(request.user, want, decision.reason)


def forbidden(user: User, want: Attributes, reason: str = "") -> Forbidden:
    """The refusal of `want`."""
    ending = f": {reason}" if reason else ""
    if want.path:
        return Forbidden("", "", f'User "{user.name}" cannot {want.verb} path "{want.path}"{ending}')
    where = f'in the namespace "{want.namespace}"' if want.namespace else "at the cluster scope"
    return Forbidden(
        want.resource,
        want.name,
        f'User "{user.name}" cannot {want.verb} resource "{want.target}" in API group "{want.group}" {where}{ending}',
        want.group,
    )
