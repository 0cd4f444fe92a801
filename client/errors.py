"""The one error of the API: a Status that is not Success."""

from __future__ import annotations

from typing import Any

RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})


class ApiStatusError(Exception):
    """The server answered with an error; `status` is its Status object (made up when the body was none)."""

    def __init__(self, status: dict[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.code = int(status.get("code") or 500)
        self.reason = str(status.get("reason") or "")
        self.message = str(status.get("message") or "")
        self.retry_after = retry_after
        super().__init__(f"{self.code} {self.reason}: {self.message}")

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later, unchanged."""
        return self.code in RETRYABLE

    @property
    def not_found(self) -> bool:
        return self.code == 404

    @property
    def conflict(self) -> bool:
        return self.code == 409

    @property
    def gone(self) -> bool:
        """The resource version is older than what the server keeps: list again."""
        return self.code == 410


def status_from_text(code: int, text: str, method: str, path: str) -> dict[str, Any]:
    """A Status for an answer that carried none (a proxy's page, an empty body)."""
    message = text.strip()[:400] or f"{method} {path} answered {code} without a body"
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
