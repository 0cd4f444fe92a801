"""The variable `authorizer` of a policy: what the user, or a service account, may do beside this write.

    authorizer.group('apps').resource('deployments').namespace('a').check('create').allowed()
    authorizer.path('/metrics').check('get').allowed()
    authorizer.requestResource.check('approve').allowed()

How a question is put together is in `kube.cel.functions`; here it is answered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cluster.admission.request import Request
from cluster.authz import Authorizer
from cluster.rbac import Attributes
from kube import users
from kube.cel.expressions import TYPES
from kube.objects import Json

FIELDS = ("group", "resource", "subresource", "namespace", "name", "path")
Check = Callable[[Json, str], Json]


def variables(request: Request) -> dict[str, Any]:
    """The question with nothing asked yet, and the one about what is written."""
    from kube.cel import messages  # here, where an expression is: most clusters have none

    kind = request.kind
    asked = {
        "group": kind.group,
        "resource": kind.plural,
        "subresource": request.subresource,
        "namespace": request.namespace,
        "name": request.name,
    }
    given = {"authorizer": {}, "authorizer.requestResource": asked}
    return {name: messages.value(TYPES[name], json.dumps(question)) for name, question in given.items()}


@contextmanager
def answered(check: Check) -> Iterator[None]:
    """Expressions that run within are answered by `check`."""
    from kube.cel import functions

    token = functions.authorize.set(check)
    try:
        yield
    finally:
        functions.authorize.reset(token)


def checker(request: Request) -> Check:
    """Answers a question about a verb: may the user of a request, or the account that it names, do that?"""

    def check(question: Json, verb: str) -> Json:
        account = question.get("serviceAccount")
        user = users.service_account(*account) if account else request.user
        wanted = Attributes(verb, **{field: question[field] for field in FIELDS if field in question})
        found = Authorizer.of(request.cache).decide(user, wanted)
        return {"allowed": found.allowed, "reason": found.reason}

    return check
