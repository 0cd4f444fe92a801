"""The addon manager on a real store: applies, mends, switches, reports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from addons import catalogue as shelf
from addons import manager
from addons.catalogue import ADDON_LABEL, MODE_LABEL, Addon, AddonError, catalogue
from cluster.store import Key
from controllers.runtime import Context
from kube import nodematch
from kube.errors import ApiError
from kubelet.node import RUNTIME_LABEL
from kubelet.simulate import nodes as simulated
from tests.addons.sample import PLAIN, SYSTEM, Cluster


def test_the_manifests_are_applied_with_the_options(plain: Cluster) -> None:
    plain.turn()
    assert plain.data("kept") == {"size": "3"}
    assert plain.data() == {"enabled": "true", "size": "3", "rollout_deadline": "120"}
    plain.edit(size="5")
    plain.turn()
    assert plain.data("kept") == {"size": "5"}


def test_a_change_by_hand_is_put_right_unless_the_object_is_only_ensured(plain: Cluster) -> None:
    plain.turn()
    plain.edit("kept", size="9")
    plain.edit("once", a="9")
    plain.turn()
    assert plain.data("kept") == {"size": "3"} and plain.data("once") == {"a": "9"}


def test_nothing_is_written_when_nothing_changed(plain: Cluster) -> None:
    plain.turn()
    plain.turn()
    before = plain.ctx.cache.refresh()
    plain.turn()
    assert plain.ctx.cache.refresh() == before


def test_switched_off_it_leaves_nothing_and_comes_back(plain: Cluster) -> None:
    plain.turn()
    plain.edit(enabled="false")
    plain.turn()
    assert plain.data("kept") is None and plain.data("once") is None
    assert plain.data() is not None, "the switch itself stays"
    assert plain.note("state") == "off"
    plain.edit(enabled="true")
    plain.turn()
    assert plain.data("kept") == {"size": "3"}


def test_what_goes_wrong_is_written_down_and_cleared(plain: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = replace(PLAIN, documents=("{apiVersion: v1, kind: ConfigMap, metadata: {name: A_B}}",))
    with monkeypatch.context() as patch:
        patch.setattr(manager, "catalogue", lambda: {"sample": bad})
        with pytest.raises(ApiError):
            plain.turn()
    assert "A_B" in plain.note("error")
    plain.turn()
    assert plain.note("error") == "" and plain.note("version") == "1"


def test_a_wrong_mode_names_the_object() -> None:
    text = f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: x, labels: {{{MODE_LABEL}: Sometimes}}}}}}"
    with pytest.raises(AddonError, match=r"ConfigMap x: label .* 'Sometimes'"):
        list(Addon("a", "A", "", "1", True, (), (text,)).objects({}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: Broken\n", "description, version, enabled missing"),
        (
            "{title: B, description: b, version: 1, enabled: true, options: {a: {default: x}}}",
            "a: needs default and help",
        ),
        (
            "{title: B, description: b, version: 1, enabled: true, options: {enabled: {default: x, help: y}}}",
            "enabled is an option of every addon",
        ),
        (
            "{title: B, description: b, version: 1, enabled: true, options: {a: {default: x, help: y, type: integer}}}",
            'a: "x" is not a whole number',
        ),
        (
            "{title: B, description: b, version: 1, enabled: true, options: {a: {default: x, help: y, tpye: integer}}}",
            "there is no key 'tpye'",
        ),
    ],
)
def test_a_folder_that_is_not_as_it_should_be_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "addon.yaml").write_text(text)
    with pytest.raises(AddonError, match=r"broken/addon\.yaml: .*" + words):
        shelf.catalogue(tmp_path)


def test_a_folder_of_ones_own_adds_addons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, text in (
        ("mine", "{title: M, description: m, version: 2, enabled: false}"),
        ("spoilt", "{"),
        ("No", "{}"),
        ("dns", "{title: Not ours, description: m, version: 2, enabled: false}"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "addon.yaml").write_text(text)
    monkeypatch.setenv("BINNACLE_ADDONS", str(tmp_path))
    shelf.catalogue.cache_clear()
    try:
        assert {"mine", "dns"} <= set(shelf.catalogue()) and shelf.catalogue()["dns"].title == "DNS"
        assert not {"spoilt", "No"} & set(shelf.catalogue())
        assert "spoilt/addon.yaml: not YAML" in caplog.text and "the folder's name" in caplog.text
    finally:
        shelf.catalogue.cache_clear()


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_each_addon_applies_to_a_cluster(name: str, ctx: Context) -> None:
    addon = catalogue()[name]
    keys = list(manager.apply(addon, addon.defaults, ctx))
    before = ctx.cache.refresh()
    assert keys and keys == list(manager.apply(addon, addon.defaults, ctx))
    assert ctx.cache.refresh() == before, "applied again, it changes nothing"
    for key in keys:
        entry = ctx.cache.get(key)
        assert entry is not None and entry.labels[ADDON_LABEL] == name
    assert all(key.namespace in ("", SYSTEM) for key in keys), "addons live in kube-system"
    assert ctx.cache.get(Key("namespaces", "", SYSTEM))


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_pods_of_our_own_images_are_for_nodes_that_run_them(name: str) -> None:
    addon = catalogue()[name]
    specs = [obj.get("spec", {}) for obj in addon.objects(addon.defaults)]
    played = simulated.node("sim-0", 0, "sim=true")["metadata"]["labels"]
    for spec in [spec["template"]["spec"] for spec in specs if "template" in spec]:
        assert all(container["image"].startswith("binnacle/") for container in spec["containers"])
        assert nodematch.selects(spec, "here", {**played, RUNTIME_LABEL: "process"})
        assert not nodematch.selects(spec, "sim-0", played), "nothing runs on a simulated node"
