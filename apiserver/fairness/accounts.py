"""What one user holds of this process, over all his connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import environment
from kube.errors import TooManyRequests

if TYPE_CHECKING:
    from apiserver.watchers import Watcher


class Account:
    """`bytes`: of answers that are being sent and of events that wait for his watches."""

    __slots__ = ("bytes", "connections", "requests", "streams", "user", "watchers")

    def __init__(self, user: str) -> None:
        self.user = user
        self.connections = self.requests = self.streams = self.bytes = 0
        self.watchers: set[Watcher] = set()

    @property
    def empty(self) -> bool:
        return not (self.connections or self.requests or self.streams or self.bytes or self.watchers)


class Accounts:
    """Those who hold something now, by their names."""

    def __init__(self) -> None:
        self.connections, self.requests = environment.USER_CONNECTIONS.get(), environment.USER_REQUESTS.get()
        self.watches, self.bytes = environment.USER_WATCHES.get(), environment.USER_BYTES.get()
        self._of: dict[str, Account] = {}

    def __len__(self) -> int:
        return len(self._of)

    def of(self, user: str) -> Account:
        found = self._of.get(user)
        if found is None:
            found = self._of[user] = Account(user)
        return found

    def settle(self, account: Account) -> None:
        """Something was given back: who holds nothing is forgotten."""
        if account.empty:
            self._of.pop(account.user, None)

    def check(self, account: Account, watch: bool) -> None:
        """Raises TooManyRequests when the newest request, which is counted already, is too much."""
        for held, bound, what in (
            (account.connections - 1, self.connections, "connections"),
            (account.requests - 1, self.requests, "requests in flight"),
            (account.bytes, self.bytes, "bytes that wait to be read"),
            (account.streams - 1 if watch else 0, self.watches if watch else 1, "watches and streams"),
        ):
            if held >= bound:
                raise too_much(account, held, what)


def too_much(account: Account, held: int, what: str) -> TooManyRequests:
    return TooManyRequests(
        f'too many requests: user "{account.user}" has {held} {what} at this server, please try later'
    )
