"""A small asyncio client of the Kubernetes API: kubeconfig, verbs, and a reflector (list + watch).

It knows no kinds: paths name resources, objects are JSON dicts.  Nothing of this project is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from client.backoff import Backoff
from client.errors import ApiStatusError
from client.kubeconfig import Config, KubeconfigError, load
from client.paths import object_key, resource_path

if TYPE_CHECKING:
    from client.api import Client
    from client.reflector import Reflector

__all__ = [
    "ApiStatusError",
    "Backoff",
    "Client",
    "Config",
    "KubeconfigError",
    "Reflector",
    "load",
    "object_key",
    "resource_path",
]


def __getattr__(name: str) -> Any:
    """`Client` and `Reflector` when they are first asked for.

    asyncio and TLS take 5 MiB, which programs without a loop save.
    """
    if name == "Client":
        from client.api import Client

        return Client
    if name == "Reflector":
        from client.reflector import Reflector

        return Reflector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
