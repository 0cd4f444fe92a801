"""A dashboard spoken to as its pages do: login, and figures over the live socket."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterator
from http.cookiejar import CookieJar
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.e2e.cluster import Cluster


class Dashboard:
    """A logged-in page's live socket."""

    @classmethod
    def of(cls, cluster: Cluster) -> Dashboard:
        """With the address and the token that the start printed."""
        url, token = (re.search(rf"{name} +(\S+)", cluster.started) for name in ("Dashboard", "Login token"))
        assert url and token, cluster.started
        health = urllib.parse.urljoin(url[1], "healthz")
        cluster.until(lambda: cluster.fetch(health), timeout=60, what="the dashboard answers")
        return cls(url[1], token[1])

    def __init__(self, url: str, token: str) -> None:
        jar = CookieJar()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        form = browser.open(url, timeout=20).read().decode()
        hidden = re.search(r'name="ticket" value="([^"]+)"', form)
        assert hidden, form[:2000]
        data = urllib.parse.urlencode({"token": token, "ticket": hidden[1]}).encode()
        login = urllib.request.Request(urllib.parse.urljoin(url, "login"), data, {"Referer": url})
        shell = browser.open(login, timeout=20).read().decode()
        ticket = re.search(r'name="ticket" content="([^"]+)"', shell)
        assert ticket, shell[:2000]
        self.url, self._ticket = url, ticket[1]
        self._cookie = "; ".join(f"{one.name}={one.value}" for one in jar)

    @contextlib.contextmanager
    def socket(self) -> Iterator[ClientConnection]:
        with connect(
            urllib.parse.urljoin(self.url, "c/local/live").replace("http", "ws", 1),
            origin=self.url.rstrip("/"),
            subprotocols=["binnacle", f"ticket.{self._ticket}"],  # type: ignore[list-item]
            additional_headers={"Cookie": self._cookie},
            proxy=None,
            open_timeout=20,
        ) as made:
            yield made

    def beats(self) -> Generator[dict[str, Any]]:
        """What a page hears each second of what lies behind it: part -> how it is."""
        with self.socket() as socket:
            while True:
                frame = json.loads(socket.recv(timeout=30))
                if frame["t"] == "beat":
                    yield frame["health"]

    def figures(self, key: list[str]) -> dict[str, Any]:
        """What a page with this object gets."""
        with self.socket() as socket:
            socket.send(json.dumps({"op": "figures", "id": 3, "key": key, "range": "15m"}))
            while True:
                frame: dict[str, Any] = json.loads(socket.recv(timeout=30))
                if frame.get("id") == 3:
                    assert "found" in frame, frame
                    return dict(frame["found"])
