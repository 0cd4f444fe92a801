"""A session over an empty store with a namespace to work in."""

from __future__ import annotations

from typing import Any

from cluster.cache import Cache
from cluster.store import Store
from cluster.verbs import Session
from kube.objects import Json
from kube.users import User

NS = "work"


def make(cache: Cache, store: Store, user: User | str = "test") -> Session:
    """A session for `user`, with namespace `work` and its default service account."""
    session = Session(1, "setup", cache, store)
    session.create("namespaces", "", {"metadata": {"name": NS}})
    session.create("serviceaccounts", NS, {"metadata": {"name": "default"}})
    return Session(1, user, cache, store)


def pod(name: str = "web", **spec: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "host"}], **spec},
    }


def config(name: str = "conf", **data: str) -> Json:
    return {"metadata": {"name": name}, "data": data}
