"""serviceaccounts/token: a signed token for a service account, bound to an object if wanted (TokenRequest)."""

from __future__ import annotations

from apiserver import response
from apiserver.authn import serviceaccounts
from apiserver.authn.serviceaccounts import EXTENDED_SECONDS, POD_TOKEN_SECONDS
from apiserver.request import Request
from apiserver.response import Answer
from apiserver.subresources.posted import posted
from cluster import nodeauthz
from cluster.cache import Cache, Entry
from cluster.rbac import Attributes
from cluster.store import Key
from kube import clock
from kube.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound, invalid
from kube.objects import Json
from kube.registry import Kind

_MINIMUM, _MAXIMUM = 600, 1 << 32
_BINDABLE = {("v1", "Pod"): ("pod", "pods"), ("v1", "Secret"): ("secret", "secrets"), ("v1", "Node"): ("node", "nodes")}


async def handle(request: Request, kind: Kind) -> Answer:
    """Answer a TokenRequest with its status filled in."""
    body = await posted(request, "TokenRequest")
    info, cache = request.info, request.state.cache
    cache.refresh()
    account = cache.get(Key("serviceaccounts", info.namespace, info.name))
    if account is None:
        raise NotFound("serviceaccounts", info.name)
    spec = body.get("spec") or {}
    _check_metadata(body["metadata"], info.namespace, info.name)
    authenticator = request.state.authenticator
    settings, seconds = authenticator.settings, _seconds(spec)
    audiences = spec.get("audiences") or settings.api_audiences
    bound = _bound(request, spec.get("boundObjectRef"))
    if node := nodeauthz.node_of(request.user):
        pod = _check_node(info.name, node, bound, spec.get("boundObjectRef"))
        await _check_audience(request, pod, spec.get("audiences") or [""])
    warnings = []
    if 0 < settings.max_seconds < seconds:
        warnings = [f"requested expiration of {seconds} seconds shortened to {settings.max_seconds} seconds"]
        seconds = settings.max_seconds
    extended = settings.extend and bound is not None and bound[0] == "pod" and seconds == POD_TOKEN_SECONDS
    extended = extended and set(audiences) <= set(settings.api_audiences)
    claims = serviceaccounts.claims_of(
        settings.issuers[0],
        account,
        audiences,
        EXTENDED_SECONDS if extended else seconds,
        _references(cache, bound),
        seconds if extended else 0,
    )
    if request.event is not None:
        request.event.annotations["authentication.kubernetes.io/issued-credential-id"] = f"JTI={claims['jti']}"
    return response.json_response(
        {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": info.name,
                "namespace": info.namespace,
                "uid": account.meta.uid,
                "creationTimestamp": clock.now(),
            },
            "spec": {
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {
                "token": authenticator.signer.sign(claims),
                "expirationTimestamp": clock.stamp(claims["iat"] + seconds),
            },
        },
        201,
        warnings,
    )


def _check_metadata(metadata: Json, namespace: str, name: str) -> None:
    """What the body says of whose token it asks for is what the address says. Raises Invalid."""
    for field, wanted, of in (
        ("name", name, "service account name"),
        ("namespace", namespace, "service account namespace"),
    ):
        given = metadata.get(field)
        if given and given != wanted:
            wrong = invalid(f"metadata.{field}", given, f"must match the {of} if specified")
            raise Invalid("TokenRequest", name, [wrong], "authentication.k8s.io")


def _references(cache: Cache, bound: tuple[str, Entry] | None) -> Json:
    """Name and uid of what a token is bound to, by claim; with a pod goes the node that it is on."""
    if bound is None:
        return {}
    claim, entry = bound
    references = {claim: {"name": entry.key.name, "uid": entry.meta.uid}}
    if claim == "pod" and entry.node:
        node = cache.get(Key("nodes", "", entry.node))
        references["node"] = {"name": entry.node, **({"uid": node.meta.uid} if node else {})}
    return references


def _check_node(account: str, node: str, bound: tuple[str, Entry] | None, reference: Json | None) -> Entry:
    """A kubelet gets tokens for the pods that run there, and no others: they end with the pod. Raises Forbidden."""
    claim, entry = bound or ("", None)
    if claim != "pod" or entry is None:
        raise Forbidden("serviceaccounts", account, "node requested token not bound to a pod")
    if not (reference or {}).get("uid"):
        raise Forbidden("serviceaccounts", account, "node requested token with a pod binding without a uid")
    if entry.node != node:
        raise Forbidden("serviceaccounts", account, "node requested token bound to a pod scheduled on a different node")
    return entry


async def _check_audience(request: Request, pod: Entry, audiences: list[str]) -> None:
    """It gets them for whom the pod's volumes want them, or for whom its roles say. Raises Forbidden."""
    account = request.info.name
    if len(audiences) > 1:
        raise Forbidden("serviceaccounts", account, "node may only request 0 or 1 audiences")
    [audience] = audiences
    if audience in nodeauthz.audiences(request.state.cache, pod.object()):
        return
    want = Attributes(
        "request-serviceaccounts-token-audience", "", audience, namespace=request.info.namespace, name=account
    )
    if not (await request.state.authorizers.decide(request.user, want)).allowed:
        raise Forbidden("serviceaccounts", account, f'audience "{audience}" not found in pod spec volume')


def _seconds(spec: Json) -> int:
    seconds = spec.get("expirationSeconds")
    if seconds is None:
        return 3600
    text = None
    if not isinstance(seconds, int) or seconds < _MINIMUM:
        text = "may not specify a duration less than 10 minutes"
    elif seconds > _MAXIMUM:
        text = "may not specify a duration larger than 2^32 seconds"
    if text:
        raise Invalid("TokenRequest", "", [invalid("spec.expirationSeconds", seconds, text)], "authentication.k8s.io")
    return seconds


def _bound(request: Request, reference: Json | None) -> tuple[str, Entry] | None:
    """The object to bind to, as (claim, entry). Raises NotFound, Conflict, BadRequest."""
    if not reference:
        return None
    found = _BINDABLE.get((reference.get("apiVersion", ""), reference.get("kind", "")))
    if found is None:
        group, _, version = reference.get("apiVersion", "").rpartition("/")
        raise BadRequest(f"cannot bind token to object of type {group}/{version}, Kind={reference.get('kind')}")
    claim, storage = found
    name = reference.get("name", "")
    entry = request.state.cache.get(Key(storage, "" if claim == "node" else request.info.namespace, name))
    if entry is None:
        raise NotFound(storage, name)
    if claim == "pod" and (entry.object()["spec"].get("serviceAccountName") or "default") != request.info.name:
        raise BadRequest(
            f'cannot bind token for serviceaccount "{request.info.name}" to pod running with different serviceaccount name.'
        )
    if reference.get("uid") and reference["uid"] != entry.meta.uid:
        raise Conflict(
            reference["kind"],
            name,
            "",
            f"the UID in the bound object reference ({reference['uid']}) does not "
            "match the UID in record. The object might have been deleted and then recreated",
        )
    return claim, entry
