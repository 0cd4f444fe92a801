"""One question to a container: exec, httpGet, tcpSocket or grpc."""

from __future__ import annotations

import asyncio
import ssl
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from kube.objects import Json
from kubelet.commands import run
from kubelet.probes import grpc_health
from kubelet.runtimes.base import Runtime, StartError
from web.client import HttpSession

if TYPE_CHECKING:
    from kube.shapes import ContainerLike

SAFE = "%/?:@!$&'()*+,;=~-._"  # what stays as it is written in a path
MAX_REDIRECTS = 10
REDIRECTS = (301, 302, 303, 307, 308)
CONNECT_ERRORS = (OSError,)


class Asker:
    """Asks the containers of one pod.  Answers are (ok, what to tell in an event)."""

    def __init__(self, runtime: Runtime, uid: str, address: str) -> None:
        self._runtime, self._uid, self._address = runtime, uid, address

    async def ask(self, container: ContainerLike, probe: Json) -> tuple[bool, str]:
        timeout = float(probe.get("timeoutSeconds") or 1)
        if "exec" in probe:
            return await self._exec(container["name"], probe["exec"].get("command") or [], timeout)
        if "httpGet" in probe:
            return await http_get(container, probe["httpGet"], self._address, timeout)
        if "tcpSocket" in probe:
            return await self._tcp(container, probe["tcpSocket"], timeout)
        if "grpc" in probe:
            service = probe["grpc"].get("service") or ""
            return await grpc_health.check(self._address, int(probe["grpc"]["port"]), service, timeout)
        return True, ""

    async def _exec(self, name: str, command: list[str], timeout: float) -> tuple[bool, str]:
        try:
            code, output = await run(self._runtime, self._uid, name, command, timeout)
        except TimeoutError:
            return False, f'command timed out: "{" ".join(command)}" timed out after {timeout:g}s'
        except StartError as error:
            return False, str(error)
        return code == 0, output.decode("utf-8", "replace")

    async def _tcp(self, container: ContainerLike, action: Json, timeout: float) -> tuple[bool, str]:
        host, port = action.get("host") or self._address, port_number(container, action["port"])
        try:
            async with asyncio.timeout(timeout):
                _, writer = await asyncio.open_connection(host, port)
        except CONNECT_ERRORS as error:
            return False, f"dial tcp {host}:{port}: {_reason(error)}"
        writer.close()
        return True, ""


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "i/o timeout"
    if "Connect call failed" in str(error) or isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    return str(error) or type(error).__name__


def port_number(container: ContainerLike, port: int | str) -> int:
    """A port given by number, or by the name it has in the container's ports; OSError for an unknown name."""
    if isinstance(port, int) or port.isdecimal():
        return int(port)
    for entry in container.get("ports") or ():
        if entry.get("name") == port:
            return int(entry["containerPort"])
    raise OSError(f"container {container['name']} has no port named {port!r}")


async def http_get(container: ContainerLike, action: Json, address: str, timeout: float) -> tuple[bool, str]:
    """2xx and 3xx are success; certificates are not checked.  Redirects are followed on the same host, others succeed."""
    host = action.get("host") or address
    path = action.get("path") or "/"
    scheme = (action.get("scheme") or "HTTP").lower()
    headers = {"User-Agent": "kube-probe/1.36", "Accept": "*/*"}
    headers.update({h["name"]: h["value"] for h in action.get("httpHeaders") or ()})
    port = port_number(container, action["port"])
    url = f"{scheme}://{host}:{port}{path if path[0] == '/' else '/' + path}"
    try:
        async with asyncio.timeout(timeout):
            status = await _follow(url, headers)
        if status is None:
            return False, f'Get "{url}": stopped after {MAX_REDIRECTS} redirects'
        return 200 <= status < 400, "" if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"
    except TimeoutError:
        return False, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    except ValueError as error:
        return False, f'Get "{url}": {error}'
    except CONNECT_ERRORS as error:
        return False, f'Get "{url}": dial tcp {host}:{port}: {_reason(error)}'


async def _follow(url: str, headers: dict[str, str]) -> int | None:
    """The status that `url` leads to by redirects on its own host; None when they have no end."""
    at = url
    for _ in range(MAX_REDIRECTS):
        parts = urlsplit(at)
        session = HttpSession(f"{parts.scheme}://{parts.netloc}", tls=_unchecked() if parts.scheme == "https" else None)
        target = quote(parts.path or "/", safe=SAFE) + (f"?{quote(parts.query, safe=SAFE)}" if parts.query else "")
        async with session.open("GET", target, None, headers=headers) as (response, _pieces):
            location = response.headers.get("location")
        if response.status not in REDIRECTS or not location:
            return response.status
        following = urljoin(at, location)
        if urlsplit(following).hostname != parts.hostname:
            return response.status
        at = following
    return None


@cache
def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
