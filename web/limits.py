"""What a listening socket grants to whoever connects: the one place for these bounds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server. What is over one is refused with a status that says so, or closed where none can be said.

    | bound | what happens |
    | --- | --- |
    | `header_bytes`, `header_count` | 431, of a request line with its headers, and of trailers |
    | `header_seconds` | 408, from the first byte to the end of the headers; a handshake, or silence at first, is closed |
    | `body_bytes` | 413, before the body is read where its length is stated |
    | `body_seconds` | 408, from when somebody wants the body to its end |
    | `idle_seconds` | closed, between two requests |
    | `write_seconds` | aborted, when a slow reader takes nothing of what waits for it |
    | `connections`, `per_address` | 503 and closed, before a TLS handshake |
    | `linger_seconds` | how long what still comes is thrown away after a refusal, so that the client reads it |
    """

    header_bytes: int = 32 * 1024
    header_count: int = 100
    header_seconds: float = 10.0
    body_bytes: int = 1 << 20
    body_seconds: float = 30.0
    idle_seconds: float = 60.0
    write_seconds: float = 30.0
    connections: int = 256
    per_address: int = 128
    linger_seconds: float = 2.0

    @property
    def look(self) -> float:
        """Seconds between two looks for connections whose time is over."""
        shortest = min(
            self.header_seconds, self.body_seconds, self.idle_seconds, self.write_seconds, self.linger_seconds
        )
        return min(1.0, shortest / 4)
