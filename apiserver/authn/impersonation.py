"""Impersonation: a user who may, acts as another one (`Impersonate-User` and its companions)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from apiserver.authorization import attributes, forbidden
from cluster.rbac import Attributes
from kube.errors import BadRequest
from kube.users import ANONYMOUS, AUTHENTICATED, SERVICE_ACCOUNT, UNAUTHENTICATED, User, service_account

if TYPE_CHECKING:
    from apiserver.request import Request

_EXTRA = b"impersonate-extra-"


async def impersonate(request: Request) -> User:
    """The user that the request asks to act as; its own user without such headers. Raises BadRequest, Forbidden."""
    name = request.header(b"impersonate-user")
    groups, uid = request.headers(b"impersonate-group"), request.header(b"impersonate-uid")
    extra: dict[str, list[str]] = {}
    for key, value in request.scope["headers"]:
        if key.startswith(_EXTRA):
            extra.setdefault(unquote(key[len(_EXTRA) :].decode("latin-1")), []).append(value.decode("latin-1"))
    if not name:
        if groups or uid or extra:
            raise BadRequest(f"requested {groups or uid or extra} without impersonating a user name")
        return request.user

    # Each part is a right of its own.
    account = name.split(":")[2:] if name.startswith(SERVICE_ACCOUNT) and name.count(":") == 3 else None
    if account:
        wanted = [Attributes("impersonate", "", "serviceaccounts", "", account[0], account[1])]
    else:
        wanted = [Attributes("impersonate", "", "users", name=name)]
    wanted += [Attributes("impersonate", "", "groups", name=group) for group in groups]
    if uid:
        wanted.append(Attributes("impersonate", "authentication.k8s.io", "uids", name=uid))
    wanted += [
        Attributes("impersonate", "authentication.k8s.io", "userextras", key, "", value)
        for key, values in extra.items()
        for value in values
    ]
    for want in wanted:
        decision = await request.state.authorizers.decide(request.user, want)
        if not decision.allowed:
            if request.event is not None:
                request.event.decided(False, decision.reason)
            # Told in terms of the request itself, as servers with constrained impersonation do.
            asked = replace(attributes(request), verb=f"impersonate-on:user-info:{attributes(request).verb}")
            raise forbidden(request.user, asked, decision.reason)

    acts_as = _user(name, uid, groups, extra, account)
    if request.event is not None:
        request.event.impersonated(acts_as)
    return acts_as


def _user(name: str, uid: str, groups: list[str], extra: dict[str, list[str]], account: list[str] | None) -> User:
    if name == ANONYMOUS.name:
        return User(name, uid, groups or (UNAUTHENTICATED,), extra)
    if account and not groups:
        return service_account(account[0], account[1], uid, extra)
    return User(name, uid, groups if AUTHENTICATED in groups else (*groups, AUTHENTICATED), extra)
