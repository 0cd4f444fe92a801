"""services/proxy, pods/proxy and nodes/proxy: HTTP (and upgrades, such as WebSockets) passed through this server."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

from apiserver import backend, links
from apiserver.backend import Target, kubelet_target, unverified_tls
from apiserver.request import Request
from apiserver.response import Answer, Response, Stream
from apiserver.subresources import connecting
from apiserver.subresources.nodes import entry_of, node_of
from client.paths import kubelet_prefix
from cluster.cache import Cache, Entry
from kube.errors import BadRequest, ServiceUnavailable
from kube.objects import Json
from kube.registry import Kind
from web.address import port_of

MAX_PAGE = 4 * 1024 * 1024  # bytes of a page whose links are rewritten
SLICES = "endpointslices.discovery.k8s.io"


async def service(request: Request, kind: Kind) -> Answer:
    """Pass on to one ready endpoint of `[scheme:]name[:port]`."""
    await connecting.admit(request, kind)
    scheme, name, port = split_name(request.info.name)
    entry = entry_of(request, "services", request.info.namespace, name)
    address, number = choose_endpoint(request.state.cache, entry, port)
    return await _pass(request, Target(address, number, unverified_tls() if scheme == "https" else None))


async def pod(request: Request, kind: Kind) -> Answer:
    """Pass on to a pod's address, at the port of `[scheme:]name[:port]`, or the first that a container declares."""
    await connecting.admit(request, kind)
    scheme, name, port = split_name(request.info.name)
    obj = entry_of(request, "pods", request.info.namespace, name).object()
    address = (obj.get("status") or {}).get("podIP")
    if not address:
        raise BadRequest("address not allowed")
    declared = [p["containerPort"] for c in obj["spec"]["containers"] for p in c.get("ports") or ()]
    number = port_of(port) or (declared[0] if declared else 443 if scheme == "https" else 80)
    return await _pass(request, Target(address, number, unverified_tls() if scheme == "https" else None))


async def node(request: Request, kind: Kind) -> Answer:
    """Pass on to the kubelet."""
    await connecting.admit(request, kind)
    _, name, _ = split_name(request.info.name)
    found = node_of(request, name)
    return await _pass(request, kubelet_target(found, request.state.pki), kubelet_prefix(found))


def split_name(text: str) -> tuple[str, str, str]:
    """(scheme, name, port) of `name`, `name:port`, `scheme:name:port`. Raises BadRequest."""
    parts = text.split(":")
    if len(parts) == 1:
        return "", text, ""
    if len(parts) == 2:
        return "", parts[0], parts[1]
    if len(parts) == 3 and parts[0] in ("", "http", "https"):
        return parts[0], parts[1], parts[2]
    raise BadRequest(f"invalid service request {text!r}: write [scheme:]name[:port]")


def choose_endpoint(cache: Cache, service: Entry, wanted: str) -> tuple[str, int]:
    """A ready address and the port behind a service's port. Raises ServiceUnavailable."""
    name = service.key.name
    port = _service_port(service.object(), wanted)
    found = []
    for entry in cache.list(SLICES, service.key.namespace):
        if entry.labels.get("kubernetes.io/service-name") != name:
            continue
        part = entry.object()
        numbers = [p["port"] for p in part.get("ports") or () if p.get("port") and _fits(p, port, wanted)]
        addresses = [
            a
            for e in part.get("endpoints") or ()
            if (e.get("conditions") or {}).get("ready") is not False
            for a in e.get("addresses") or ()
        ]
        found += [(address, number) for number in numbers for address in addresses]
    if not found:
        raise ServiceUnavailable(f'no endpoints available for service "{name}"')
    return random.choice(found)


def _service_port(service: Json, wanted: str) -> Json | None:
    ports: list[Json] = (service.get("spec") or {}).get("ports") or []
    if not wanted:
        return ports[0] if len(ports) == 1 else None
    return next((p for p in ports if wanted in (p.get("name"), str(p.get("port")))), None)


def _fits(endpoint_port: Json, service_port: Json | None, wanted: str) -> bool:
    """Ports of slices carry the names of the service's ports; a number may also be the endpoint's own."""
    if service_port is not None:
        return (endpoint_port.get("name") or "") == (service_port.get("name") or "")
    return wanted in (endpoint_port.get("name"), str(endpoint_port.get("port")), "")


async def _pass(request: Request, target: Target, below: str = "") -> Answer:
    """`below`: what the backend's paths begin with."""
    rest = request.info.rest
    if not rest and request.method in ("GET", "HEAD"):
        # Relative links of the page need the slash.
        query = request.scope["query_string"].decode("latin-1")
        location = request.raw_path + "/" + (f"?{query}" if query else "")
        return Response(b"", 301, "text/plain", [(b"location", location.encode("latin-1"))])
    path = (
        below
        + quote(rest or "/", safe="/:@!$&'()*+,;=~-._%")
        + ("?" + request.scope["query_string"].decode("latin-1") if request.scope["query_string"] else "")
    )
    prefix = request.info.path[: len(request.info.path) - len(rest)] if rest else request.info.path
    extra = [
        (b"x-forwarded-uri", request.info.path.encode()),
        (b"x-forwarded-host", request.header(b"host").encode("latin-1")),
        (b"x-forwarded-proto", request.scope["scheme"].encode()),
    ]
    if "tunnel" in request.scope:
        return await backend.upgrade(request, target, path, extra)
    answer = await backend.forward(request, target, path, extra)
    hosts = (str(target), request.header(b"host"))
    return await _led_back(answer, request.method, lambda address: links.moved(address, prefix, hosts))


async def _led_back(answer: Stream, method: str, move: Callable[[str], str]) -> Answer:
    """What the backend says of itself must lead back through the proxy: a redirect, or the links of a page."""
    told = dict(answer.headers)
    if b"location" in told:
        answer.headers = [
            (name, move(value.decode("latin-1")).encode("latin-1", "ignore") if name == b"location" else value)
            for name, value in answer.headers
        ]
        return answer
    if method == "HEAD" or answer.content_type.partition(";")[0].strip().lower() != "text/html":
        return answer
    if told.get(b"content-encoding", b"gzip") != b"gzip":
        return answer
    return await _page(answer, b"content-encoding" in told, move)


async def _page(answer: Stream, packed: bool, move: Callable[[str], str]) -> Answer:
    """A page with its links moved; one that is larger than MAX_PAGE, or no gzip as it says, passes as it is."""
    chunks, whole = answer.chunks, b""
    async for chunk in chunks:
        whole += chunk
        if len(whole) > MAX_PAGE:
            answer.chunks = _joined(whole, chunks)
            return answer
    answer.release()
    headers = [header for header in answer.headers if not packed or header[0] != b"content-encoding"]
    page = unpacked(whole) if packed else whole
    if page is None:
        return Response(whole, answer.status, answer.content_type, answer.headers)
    body = await asyncio.to_thread(links.rewritten, page, move)
    return Response(body, answer.status, answer.content_type, headers)


def unpacked(body: bytes) -> bytes | None:
    """What was compressed with gzip; None if it was not, or is larger than MAX_PAGE."""
    unpacker = zlib.decompressobj(31)
    try:
        page = unpacker.decompress(body, MAX_PAGE)
    except zlib.error:
        return None
    return page if unpacker.eof else None


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
