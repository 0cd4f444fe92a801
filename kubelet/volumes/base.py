"""What every kind of volume offers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kube.objects import Json
from kubelet.envs import Lookup
from kubelet.fields import PodFacts

if TYPE_CHECKING:
    from kube.shapes import PodLike


class VolumeError(Exception):
    """The volume cannot be set up now; the message says why, the pod's worker tries again."""


class Tokens(Protocol):
    async def get(self, pod: PodLike, audience: str, seconds: int) -> str:
        """A service account token bound to the pod."""


class Reader(Protocol):
    async def get(self, path: str) -> Json:
        """An object of the API."""


@dataclass(frozen=True)
class Context:
    """What volumes are made from.  `facts` holds no pod address yet: volumes come before the network."""

    folder: Callable[[PodLike, str, str], Path]
    lookup: Lookup
    tokens: Tokens
    api: Reader
    facts: Callable[[PodLike], PodFacts]


@dataclass(frozen=True)
class Ready:
    """A volume that is set up: where its content lies."""

    path: str
    readonly: bool = False
    memory: bool = False
    size: int = 0
    group: int | None = None


SetUp = Callable[["PodLike", Json, Context], Awaitable[Ready]]
"""(pod, the volume's JSON, context) -> where it is.  Called again to refresh it; raises VolumeError, ConfigError."""
