"""The way to the kubelets: HTTPS that the cluster's CA vouches for, with the pod's own token, which may get nodes/metrics.

Not through the API server's nodes/proxy: whoever may use that may run commands in every container.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from client.kubeconfig import Config
from web.address import Place
from web.client import Pool

MAX_PAGE = 64 << 20  # bytes
TOGETHER = 16  # kubelets asked at once


class KubeletError(Exception):
    """A kubelet gives no figures; the text says why."""


class Kubelets:
    """`get` reads one page; the connections are kept. Close it with `close()`."""

    def __init__(self, config: Config) -> None:
        self._config, self._tls = config, config.ssl_context()
        self._pool = Pool(MAX_PAGE)

    async def get(self, address: str, path: str) -> bytes:
        """A page of the kubelet at `address`: `host:port`, or a path below that.

        Raises KubeletError, or one of `web.client.FAILURES`.
        """
        token = self._config.bearer()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = await self._pool.get(self._place(address), urlsplit(f"//{address}{path}").path, headers)
        if response.status != 200:
            raise KubeletError(f"it answers {response.status}: {response.body[:300].decode(errors='replace').strip()}")
        return response.body

    def only(self, addresses: Iterable[str]) -> None:
        """Let go of the connections to all others."""
        self._pool.only({self._place(address) for address in addresses})

    def close(self) -> None:
        self._pool.only(set())

    def _place(self, address: str) -> Place:
        found = urlsplit(f"//{address}")
        return Place(found.hostname or "", found.port or 0, self._tls)
