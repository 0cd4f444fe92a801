"""Server-side apply beside kubectl's older apply, which keeps what it sent in an annotation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cluster.cache import Cache
from cluster.store import Store
from cluster.verbs import Session
from cluster.verbs.apply import KUBECTL
from kube.objectmeta import LAST_APPLIED
from tests.cluster.sessions import NS, make

APPLY = "application/apply-patch+yaml"


@pytest.fixture
def session(cache: Cache, store: Store) -> Session:
    return make(cache, store)


def conf(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf", "namespace": NS}, "data": data}


def applied(session: Session, manager: str, before: str | None, **data: str) -> str | None:
    """The annotation after `manager` applied `data` over an object that had it as `before`."""
    made = conf(color="red")
    if before is not None:
        made["metadata"]["annotations"] = {LAST_APPLIED: before}
    session.create("configmaps", NS, made)
    found = session.patch("configmaps", NS, "conf", conf(**data), APPLY, field_manager=manager, force=True)
    assert found["data"] == {"color": "red", **data}
    kept: str | None = (found["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    return kept


def test_kubectl_keeps_the_annotation_in_step(session: Session) -> None:
    kept = applied(session, KUBECTL, "old", size="9")
    assert kept is not None and json.loads(kept) == conf(size="9")


def test_one_too_large_for_an_annotation_goes(session: Session) -> None:
    assert applied(session, KUBECTL, "old", size="9" * 300_000) is None


@pytest.mark.parametrize(("manager", "before"), [("helm", "old"), (KUBECTL, None)])
def test_else_it_stays_as_it_was(session: Session, manager: str, before: str | None) -> None:
    assert applied(session, manager, before, size="9") == before
