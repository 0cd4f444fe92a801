"""Service account tokens of pods, through the TokenRequest API; kept until four fifths of their life are over."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from client import Client, resource_path
from kube import clock
from kube.objects import Json

if TYPE_CHECKING:
    from kube.shapes import PodLike

Key = tuple[str, str, int]
MAX_AGE = 24 * 3600


@dataclass(frozen=True)
class _Token:
    text: str
    renew_at: float


class TokenManager:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._tokens: dict[Key, _Token] = {}

    async def get(self, pod: PodLike, audience: str, seconds: int) -> str:
        """A token bound to the pod; raises what the client raises."""
        metadata = pod["metadata"]
        key = (metadata["uid"], audience, seconds)
        known = self._tokens.get(key)
        if known is not None and time.time() < known.renew_at:
            return known.text
        bound = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
        spec: Json = {
            "expirationSeconds": seconds,
            "boundObjectRef": bound,
            "audiences": [audience] if audience else [],
        }
        account = pod["spec"].get("serviceAccountName") or "default"
        path = resource_path("v1", "serviceaccounts", metadata["namespace"], account, "token")
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        status = (await self._client.create(path, request))["status"]
        now = time.time()
        life = min(clock.parse(status["expirationTimestamp"]) - now, MAX_AGE)
        self._tokens[key] = _Token(status["token"], now + life * 0.8)
        return str(status["token"])

    def renewal(self, pod_uid: str) -> float | None:
        """When the first token of the pod is to be renewed, in seconds since the epoch."""
        return min((token.renew_at for key, token in self._tokens.items() if key[0] == pod_uid), default=None)

    def release(self, pod_uid: str) -> None:
        self._tokens = {key: token for key, token in self._tokens.items() if key[0] != pod_uid}
