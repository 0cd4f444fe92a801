"""The addon manager on a real store: applies, mends, switches, reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from addons import catalogue as shelf
from addons import manager
from addons.catalogue import ADDON_LABEL, MODE_LABEL, Addon, AddonError, Option, catalogue
from cluster.cache import Cache
from cluster.errors import ApiError
from cluster.store import Key, Store
from cluster.verbs import Session
from controllers.runtime import Context

SYSTEM = "kube-system"
DOCUMENT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: kept}
data: {size: "${size}"}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: once
  labels: {addonmanager.kubernetes.io/mode: EnsureExists}
data: {a: "1"}
"""


@pytest.fixture
def ctx(store: Store, cache: Cache) -> Context:
    session = Session(1, "system:addon-manager", cache, store)
    session.create("namespaces", "", {"metadata": {"name": SYSTEM}})
    return Context(session, cache)


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> Addon:
    made = Addon("sample", "Sample", "An addon.", "1", True, (Option("size", "3", "How many."),), (DOCUMENT,))
    monkeypatch.setattr(manager, "catalogue", lambda: {"sample": made})
    return made


def config_map(ctx: Context, name: str) -> dict[str, str] | None:
    found = ctx.session.get("configmaps", SYSTEM, name)
    return found["data"] if found else None


def reconcile(ctx: Context) -> None:
    ctx.cache.refresh()
    manager.AddonManager().reconcile("sample", ctx)


def edit(ctx: Context, name: str, **data: str) -> None:
    ctx.session.mutate("configmaps", SYSTEM, name, lambda obj: obj["data"].update(data))


def test_the_manifests_are_applied_with_the_options(ctx: Context, sample: Addon) -> None:
    reconcile(ctx)
    assert config_map(ctx, "kept") == {"size": "3"}
    assert config_map(ctx, "addon-sample") == {"enabled": "true", "size": "3"}
    edit(ctx, "addon-sample", size="5")
    reconcile(ctx)
    assert config_map(ctx, "kept") == {"size": "5"}


def test_a_change_by_hand_is_put_right_unless_the_object_is_only_ensured(ctx: Context, sample: Addon) -> None:
    reconcile(ctx)
    edit(ctx, "kept", size="9")
    edit(ctx, "once", a="9")
    reconcile(ctx)
    assert config_map(ctx, "kept") == {"size": "3"} and config_map(ctx, "once") == {"a": "9"}


def test_nothing_is_written_when_nothing_changed(ctx: Context, sample: Addon) -> None:
    reconcile(ctx)
    before = ctx.cache.refresh()
    reconcile(ctx)
    assert ctx.cache.refresh() == before


def test_switched_off_it_leaves_nothing_and_comes_back(ctx: Context, sample: Addon) -> None:
    reconcile(ctx)
    edit(ctx, "addon-sample", enabled="false")
    reconcile(ctx)
    assert config_map(ctx, "kept") is None and config_map(ctx, "once") is None
    assert config_map(ctx, "addon-sample") is not None, "the switch itself stays"
    edit(ctx, "addon-sample", enabled="true")
    reconcile(ctx)
    assert config_map(ctx, "kept") == {"size": "3"}


def test_what_goes_wrong_is_written_down_and_cleared(
        ctx: Context, sample: Addon, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Addon("sample", "Sample", "", "1", True, (), ("{apiVersion: v1, kind: ConfigMap, metadata: {name: A_B}}",))
    with monkeypatch.context() as patch:
        patch.setattr(manager, "catalogue", lambda: {"sample": bad})
        with pytest.raises(ApiError):
            reconcile(ctx)
    noted = ctx.session.get("configmaps", SYSTEM, "addon-sample")["metadata"]["annotations"]
    assert "A_B" in noted[manager.ERROR]
    reconcile(ctx)
    assert manager.ERROR not in ctx.session.get("configmaps", SYSTEM, "addon-sample")["metadata"]["annotations"]


def test_a_wrong_mode_names_the_object(sample: Addon) -> None:
    text = f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: x, labels: {{{MODE_LABEL}: Sometimes}}}}}}"
    with pytest.raises(AddonError, match=r"ConfigMap x: label .* 'Sometimes'"):
        list(Addon("a", "A", "", "1", True, (), (text,)).objects({}))


def test_a_folder_without_what_it_needs_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "addon.yaml").write_text("title: Broken\n")
    with pytest.raises(AddonError, match=r"broken/addon\.yaml: description, version, enabled missing"):
        shelf.catalogue(tmp_path)


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_each_addon_applies_to_a_cluster(name: str, ctx: Context) -> None:
    addon = catalogue()[name]
    keys = list(manager.apply(addon, manager.Wanted(True, {}), ctx))
    before = ctx.cache.refresh()
    assert keys and keys == list(manager.apply(addon, manager.Wanted(True, {}), ctx))
    assert ctx.cache.refresh() == before, "applied again, it changes nothing"
    for key in keys:
        entry = ctx.cache.get(key)
        assert entry is not None and entry.labels[ADDON_LABEL] == name
    assert all(key.namespace in ("", SYSTEM) for key in keys), "addons live in kube-system"
    assert ctx.cache.get(Key("namespaces", "", SYSTEM))
