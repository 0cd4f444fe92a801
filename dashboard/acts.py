"""What people do at the dashboard and in the admin, in the audit log beside what they ask of the API: see `cluster.audit`."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest

import environment
from cluster.audit.events import COMPLETE, new_id, sources
from cluster.audit.installation import beside
from cluster.audit.policy import Subject
from cluster.changes import Key
from dashboard.attempts import address_of
from kube.users import User

LOGIN, LOGOUT, PATCH, UPDATE = "login", "logout", "patch", "update"


def tell(
    request: HttpRequest,
    verb: str,
    status: int,
    user: User | None = None,
    about: Key | None = None,
    annotations: Mapping[str, str] | None = None,
) -> None:
    """Note one act. `user`: None where nobody was let in; `about`: an object of the core group. Never waits."""
    log = beside(environment.VAR.get())
    if log is None:
        return
    place = ("", "", about.storage, "", about.namespace, about.name) if about else (request.path,)
    what = Subject(None if user is None else user.name, () if user is None else user.groups, verb, *place)
    ways = sources([request.META.get("HTTP_X_FORWARDED_FOR", "")], address_of(request))
    agent = request.META.get("HTTP_USER_AGENT", "")
    event = log.begin(what, user, new_id(), request.path, ways, agent, "v1" if about else "")
    if event is not None:
        component = "admin" if request.path.startswith("/admin/") else "dashboard"
        event.annotations.update({"binnacle/component": component, **(annotations or {})})
        event.stage(COMPLETE, {"metadata": {}, "code": status})


def refused(request: HttpRequest, status: int, account: str = "") -> None:
    """A login that failed. `account`: only of one that there is; what else was entered may be a password."""
    tell(request, LOGIN, status, annotations={"binnacle/account": account} if account else None)
