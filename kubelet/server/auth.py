"""Who may ask a kubelet what, as Kubernetes has it: a certificate or a token says who asks, the API server whether they may.

A path stands for a subresource of the node, a method for a verb: `GET /pods` is `get nodes/pods`, or the older and wider
`nodes/proxy`, which is also what everything that runs commands needs. `/healthz` is open: it says one word, to probes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from aiohttp import web

from client import ApiStatusError, Client
from client.access import Decisions, Verdict, bearer
from kube.objects import Json
from web.http1 import Refusal

TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
# By the first word of the path; any of them will do.
SUBRESOURCES = {
    "metrics": ("metrics",),
    "stats": ("stats",),
    "logs": ("log",),
    "pods": ("pods", "proxy"),
    "configz": ("configz", "proxy"),
}
OTHERS = ("proxy",)


class Caller(NamedTuple):
    """Whom a certificate or a token names."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Json | None = None


def of_certificate(certificate: Mapping[str, Any]) -> Caller:
    """The subject of a verified certificate, as `SSLObject.getpeercert` shows it."""
    parts = [pair for part in certificate.get("subject") or () for pair in part]
    [name] = [value for key, value in parts if key == "commonName"][-1:] or [""]
    return Caller(name, tuple(value for key, value in parts if key == "organizationName"))


class Guard:
    """Asks TokenReview and SubjectAccessReview with the kubelet's own identity, and keeps the answers for a while."""

    def __init__(self, client: Client) -> None:
        self._client, self._decisions = client, Decisions()

    async def check(self, request: web.Request, path: str, node: str) -> None:
        """Whether who asks may see `path` of `node` (of all nodes: ""). Raises Refusal: 401, 403 or 503."""
        transport = request.transport
        certificate = transport.get_extra_info("peercert") if transport is not None else None
        verb = VERBS.get(request.method, request.method.lower())
        parts = SUBRESOURCES.get(path.split("/")[1], OTHERS)
        if certificate:
            caller = of_certificate(certificate)
            await self._decisions.of((caller[:2], verb, parts, node), lambda: self._may(caller, verb, parts, node))
            return
        token = bearer(request.headers.get("Authorization", ""))

        async def ask() -> Verdict:
            known = await self._who(token)
            if known is None:
                return Refusal(401, "the API server does not know this token")
            return await self._may(known, verb, parts, node)

        await self._decisions.of((hashlib.sha256(token.encode()).digest(), verb, parts, node), ask)

    async def _who(self, token: str) -> Caller | None:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        status = (await self._create(TOKENS, review)).get("status") or {}
        user = status.get("user") or {}
        if not status.get("authenticated") or not user.get("username"):
            return None
        return Caller(user["username"], tuple(user.get("groups") or ()), user.get("uid") or "", user.get("extra"))

    async def _may(self, caller: Caller, verb: str, parts: tuple[str, ...], node: str) -> Verdict:
        for part in parts:
            about = {"resource": "nodes", "subresource": part, "name": node, "verb": verb, "version": "v1"}
            spec: Json = {"user": caller.name, "groups": list(caller.groups), "resourceAttributes": about}
            spec |= {name: value for name, value in (("uid", caller.uid), ("extra", caller.extra)) if value}
            review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
            if ((await self._create(REVIEWS, review)).get("status") or {}).get("allowed"):
                return None
        words = f"user={caller.name}, verb={verb}, resource=nodes, subresource(s)=[{' '.join(parts)}]"
        return Refusal(403, f"Forbidden ({words})")

    async def _create(self, path: str, review: Json) -> Json:
        try:
            return await self._client.create(path, review)
        except ApiStatusError as error:
            raise OSError(str(error)) from error


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def guarded(guard: Guard, request: web.Request, path: str, node: str, handler: Handler) -> web.StreamResponse:
    """The page, or the answer that refuses it."""
    if path != "/healthz":
        try:
            await guard.check(request, path, node)
        except Refusal as refusal:
            return web.Response(status=refusal.status, headers=refusal.headers, text=f"{refusal}\n")
    return await handler(request)
