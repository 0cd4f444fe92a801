"""The variable `authorizer` of a policy: what the user, or a service account, may do beside this write.

    authorizer.group('apps').resource('deployments').namespace('a').check('create').allowed()
    authorizer.path('/metrics').check('get').allowed()
    authorizer.requestResource.check('approve').allowed()

The engine knows no objects with methods, but functions of plain values: a question that is put together is a map.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from cluster.admission.request import Request
from cluster.authz import Authorizer
from cluster.rbac import Attributes
from kube import users
from kube.objects import Json

FIELDS = ("group", "resource", "subresource", "namespace", "name", "path")
ACCOUNT = "serviceAccount"


def variable(request: Request) -> Json:
    """The question with nothing asked yet; `requestResource` is the one about what is written."""
    kind = request.kind
    return {
        "requestResource": {
            "group": kind.group,
            "resource": kind.plural,
            "subresource": request.subresource,
            "namespace": request.namespace,
            "name": request.name,
        }
    }


def functions(request: Request) -> dict[str, Callable[..., Any]]:
    """The methods of questions and of answers."""
    return {
        **{field: partial(_with, field) for field in FIELDS},
        ACCOUNT: lambda question, namespace, name: {**question, ACCOUNT: [namespace, name]},
        "check": partial(_check, request),
        "allowed": lambda answer: answer["allowed"],
        "reason": lambda answer: answer["reason"],
        "errored": lambda answer: False,
        "error": lambda answer: "",
    }


def _with(field: str, question: Json, value: str) -> Json:
    return {**question, field: value}


def _check(request: Request, question: Json, verb: str) -> Json:
    account = question.get(ACCOUNT)
    user = users.service_account(*account) if account else request.user
    wanted = Attributes(verb, **{field: question[field] for field in FIELDS if field in question})
    found = Authorizer.of(request.cache).decide(user, wanted)
    return {"allowed": found.allowed, "reason": found.reason}
