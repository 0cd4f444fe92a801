"""TokenReview and SelfSubjectReview: who a token, or this request, is."""

from __future__ import annotations

from typing import Any

from apiserver import response
from apiserver.request import Request
from apiserver.response import Answer
from apiserver.subresources.posted import posted
from cluster.tokens import InvalidToken
from kube import clock
from kube.errors import BadRequest

API_VERSION = "authentication.k8s.io/v1"


async def token_review(request: Request) -> Answer:
    """Whether a token is good, and whose it is."""
    review = await posted(request, "TokenReview")
    spec = review.get("spec") or {}
    token = spec.get("token")
    if not token:
        raise BadRequest("token is required for TokenReview in authentication")
    authenticator = request.state.authenticator
    try:
        found = await authenticator.of_token(token, spec.get("audiences") or authenticator.settings.api_audiences)
    except InvalidToken as why:
        error = f"[invalid bearer token, {why}]" if str(why) else "invalid bearer token"
        status: dict[str, Any] = {"user": {}, "error": error}
    else:
        status = {"authenticated": True, "user": found.user.info(), "audiences": found.audiences}
    return _answer("TokenReview", {"spec": spec, "status": status})


async def self_review(request: Request) -> Answer:
    """Who the sender of this request is."""
    await posted(request, "SelfSubjectReview")
    return _answer(
        "SelfSubjectReview", {"status": {"userInfo": request.user.info()}}, {"creationTimestamp": clock.now()}
    )


def _answer(kind: str, content: dict[str, Any], metadata: dict[str, Any] | None = None) -> Answer:
    return response.json_response({"kind": kind, "apiVersion": API_VERSION, "metadata": metadata or {}, **content}, 201)
