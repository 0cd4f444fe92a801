"""A small asyncio client of the Kubernetes API: kubeconfig, verbs, and a reflector (list + watch).

It knows no kinds: paths name resources, objects are JSON dicts.  Nothing of this project is imported here.
"""

from client.api import Client
from client.backoff import Backoff
from client.errors import ApiStatusError
from client.kubeconfig import Config, KubeconfigError, load
from client.paths import object_key, resource_path
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
