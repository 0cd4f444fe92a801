"""The proxy models: one for each kind that is kept, without migrations, made when they are asked for."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.store import Store
from kube import registry
from tests.conftest import ROOT
from tests.dashboard import world
from tests.dashboard.conftest import pages

__all__ = ["pages"]


@pytest.fixture
def things(pages: Path) -> Iterator[dict[str, Any]]:
    store = Store.of(1)
    yield world.populate(store)
    store.close()


def test_each_built_in_kind_has_a_model_of_its_own(pages: Path) -> None:
    from cluster import models

    kept = [kind for kind in registry.load().all() if "list" in kind.verbs]
    assert len(kept) > 50
    for kind in kept:
        model = getattr(models, kind.kind)
        assert model is getattr(models, kind.kind)
        assert issubclass(model, models.Object) and model._meta.proxy
        assert model.storage_name == kind.storage


def test_a_model_sees_its_own_storage(things: dict[str, Any]) -> None:
    from cluster.models import Deployment, Object, Pod

    assert {pod.name for pod in Pod.objects.filter(namespace="guestbook")} == {
        pod["metadata"]["name"] for pod in things["webs"]
    }
    assert [d.document["spec"]["replicas"] for d in Deployment.objects.filter(name="web")] == [3]
    assert Object.objects.filter(storage="pods").count() == Pod.objects.count() > 3


@pytest.mark.parametrize("name", ["Nonsense", "TokenReview", "pod", "__wrapped__"])
def test_what_is_no_kept_kind_has_no_model(pages: Path, name: str) -> None:
    from cluster import models

    assert not hasattr(models, name)


def test_proxies_need_no_migration_and_no_permission(pages: Path) -> None:
    from django.apps import apps
    from django.core.management import call_command

    from cluster.models import Pod

    assert Pod.objects.count() == 0
    said = io.StringIO()
    call_command("makemigrations", check=True, dry_run=True, stdout=said)  # exits when something is missing
    assert "No changes" in said.getvalue()
    assert {model.__name__ for model in apps.get_app_config("cluster").get_models()} == {
        "Cluster",
        "Change",
        "Object",
        "Claim",
    }


def test_a_process_that_asks_for_no_kind_loads_none(var: Path) -> None:
    code = (
        "import sys, config.asgi; from django.urls import get_resolver; get_resolver().url_patterns;"
        " print([m for m in sys.modules if m.startswith('kube.kinds.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["controllers.tasks", "apiserver.app", "scheduler.service"])
def test_a_process_that_needs_no_django_gets_none(var: Path, module: str) -> None:
    code = f"import sys, {module}; print([m for m in sys.modules if m.startswith('django.db')])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_value_that_was_copied_to_another_row_says_why_it_is_not_shown(things: dict[str, Any]) -> None:
    from cluster.models import Secret

    found = Secret.objects.first()
    assert found is not None and found.document["data"]
    found.state.name = "another"
    document = found.state.document
    assert "data" not in document and "/another cannot be decrypted" in document["unreadable"]
