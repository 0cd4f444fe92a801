"""The line to the addon `monitoring`: where it is, and one question over HTTP. Nothing here decides who may ask what."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlencode

import orjson

from cluster.store import Key
from dashboard import api
from dashboard.source import PerSource, Source
from kube.objects import Json

NAMESPACE, NAME, SWITCH = "kube-system", "monitoring", "addon-monitoring"
PATH = "/api/v1/range"
PATIENCE = 8.0  # seconds for an answer
MAX_ANSWER = 16 << 20  # bytes


class Silent(Exception):
    """Monitoring gives no figures now. `why` is one of off, away, refused; the text is for the page."""

    def __init__(self, why: str, text: str) -> None:
        super().__init__(text)
        self.why = why


class Line:
    """To the monitoring of one cluster; remembers when it last answered."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.answered: float | None = None  # monotonic

    def place(self) -> tuple[str, int]:
        """Address and port of the Service. Raises Silent."""
        cache = self.source.cache
        if not self.source.local:
            raise Silent("off", "The figures of an attached cluster cannot be read from here.")
        switch = cache.get(Key("configmaps", NAMESPACE, SWITCH))
        service = cache.get(Key("services", NAMESPACE, NAME))
        if service is None or (switch is not None and (switch.object().get("data") or {}).get("enabled") == "false"):
            raise Silent("off", "Monitoring is switched off: no figures are taken.")
        spec = service.object()["spec"]
        return spec["clusterIP"], spec["ports"][0]["port"]

    async def ask(self, query: dict[str, str]) -> Json:
        """The answer to a range query. Raises Silent, and ValueError when the query can not be answered."""
        address, port = self.place()
        try:
            async with asyncio.timeout(PATIENCE):
                status, body = await _get(address, port, f"{PATH}?{urlencode(query)}", api.endpoint().headers())
            found: Json = orjson.loads(body)
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            raise Silent("away", self._silence(type(error).__name__)) from error
        if status == 200:
            self.answered = time.monotonic()
            return found
        words = str((found.get("error") or {}).get("message") or f"it answers {status}")
        if status == 400:
            raise ValueError(words)
        raise Silent("refused" if status in (401, 403) else "away", f"Monitoring gives no figures: {words}")

    def _silence(self, error: str) -> str:
        if self.answered is None:
            return f"No answer from monitoring ({error})."
        return f"No answer from monitoring for {time.monotonic() - self.answered:.0f} s ({error})."


async def _get(address: str, port: int, target: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """Status and body. A bare connection: an HTTP library would take more memory than all charts."""
    reader, writer = await asyncio.open_connection(address, port, limit=1 << 16)
    try:
        lines = [
            f"GET {target} HTTP/1.1",
            f"Host: {address}:{port}",
            "Connection: close",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        status = (await reader.readline()).split()
        length = 0
        while (line := await reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(status) < 2 or length > MAX_ANSWER:
            raise ValueError("not an answer")
        return int(status[1]), await reader.readexactly(length)
    finally:
        writer.transport.abort()


line_of = PerSource(Line)
"""The line to the monitoring of a cluster."""
