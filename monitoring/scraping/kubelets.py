"""The line to the kubelets: HTTPS that the cluster's CA vouches for, with the pod's own token, which may get nodes/metrics.

Not through the API server's nodes/proxy: whoever may use that may run commands in every container.
"""

from __future__ import annotations

import aiohttp

from client.kubeconfig import Config

MAX_PAGE = 64 << 20  # bytes
TOGETHER = 16        # kubelets asked at once


class KubeletError(Exception):
    """A kubelet gives no figures; the text says why."""


class Kubelets:
    """`get` reads one page; the connections are kept. Close it with `close()`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._session: aiohttp.ClientSession | None = None

    async def get(self, address: str, path: str) -> bytes:
        """A page of the kubelet at `address`: `host:port`, or a path below that.

        Raises KubeletError, aiohttp.ClientError, TimeoutError, OSError.
        """
        token = self._config.bearer()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = bytearray()
        async with self._open().get(f"https://{address}{path}", headers=headers) as response:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MAX_PAGE:
                    raise KubeletError(f"its page is longer than {MAX_PAGE} bytes")
            if response.status != 200:
                raise KubeletError(f"it answers {response.status}: {bytes(body[:300]).decode(errors='replace').strip()}")
        return bytes(body)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = self._config.ssl_context()
            connector = aiohttp.TCPConnector(limit=TOGETHER, ssl=True if context is None else context, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
