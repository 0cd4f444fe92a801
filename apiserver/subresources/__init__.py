"""Subresources with a behaviour of their own, and resources that are answered but not stored.

`HANDLERS` is by (storage, subresource), `*` for any storage; what is not listed is a view of the object itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from apiserver.request import Request
from apiserver.response import Answer
from apiserver.subresources import (
    access_reviews,
    authentication_reviews,
    binding,
    component_statuses,
    eviction,
    finalize,
    log,
    proxy,
    scale,
    streams,
    token,
)
from kube.registry import Kind

HANDLERS: dict[tuple[str, str], Callable[[Request, Kind], Awaitable[Answer]]] = {
    ("*", "scale"): scale.handle,
    ("namespaces", "finalize"): finalize.handle,
    ("nodes", "proxy"): proxy.node,
    ("pods", "attach"): streams.attach,
    ("pods", "binding"): binding.handle,
    ("pods", "eviction"): eviction.handle,
    ("pods", "exec"): streams.execute,
    ("pods", "log"): log.handle,
    ("pods", "portforward"): streams.port_forward,
    ("pods", "proxy"): proxy.pod,
    ("serviceaccounts", "token"): token.handle,
    ("services", "proxy"): proxy.service,
}

_AUTHENTICATION, _AUTHORIZATION = ("authentication.k8s.io", "v1"), ("authorization.k8s.io", "v1")
VIRTUAL: dict[tuple[str, str, str], Callable[[Request], Awaitable[Answer]]] = {
    ("", "v1", "bindings"): binding.collection,
    ("", "v1", "componentstatuses"): component_statuses.handle,
    (*_AUTHENTICATION, "tokenreviews"): authentication_reviews.token_review,
    (*_AUTHENTICATION, "selfsubjectreviews"): authentication_reviews.self_review,
    (*_AUTHORIZATION, "subjectaccessreviews"): access_reviews.subject,
    (*_AUTHORIZATION, "localsubjectaccessreviews"): access_reviews.local,
    (*_AUTHORIZATION, "selfsubjectaccessreviews"): access_reviews.self_access,
    (*_AUTHORIZATION, "selfsubjectrulesreviews"): access_reviews.self_rules,
}
