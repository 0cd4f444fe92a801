"""The connection to the addon `monitoring`: where it is, and one question. Nothing here decides who may ask what."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlencode

import orjson

from cluster.store import Key
from dashboard import api
from dashboard.source import PerSource, Source
from kube.objects import Json
from web.address import Place
from web.client import Pool

NAMESPACE, NAME, SWITCH = "kube-system", "monitoring", "addon-monitoring"
PATH = "/api/v1/range"
PATIENCE = 8.0  # seconds for an answer
MAX_ANSWER = 16 << 20  # bytes


class Silent(Exception):
    """Monitoring gives no figures now. `why` is one of off, away, refused; the text is for the page."""

    def __init__(self, why: str, text: str) -> None:
        super().__init__(text)
        self.why = why


class Connection:
    """To the monitoring of one cluster; remembers when it last answered."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.answered: float | None = None  # monotonic
        # None is kept: who asks from a thread has a loop for each question.
        self._pool = Pool(MAX_ANSWER, kept=0)

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
        """The answer to a range query. Raises Silent, and ValueError when the query cannot be answered."""
        address, port = self.place()
        try:
            async with asyncio.timeout(PATIENCE):
                where = Place(address, port)
                response = await self._pool.get(where, f"{PATH}?{urlencode(query)}", api.endpoint().headers())
            found: Json = orjson.loads(response.body)
        except (OSError, ValueError) as error:
            raise Silent("away", self._silence(type(error).__name__)) from error
        status = response.status
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


connection_of = PerSource(Connection)
"""The connection to the monitoring of a cluster."""
