"""The recipes of CONTRIBUTING.md, followed: what each says is enough, and works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from addons.catalogue import catalogue
from cluster.admission.chain import Chain
from cluster.admission.plugin import Plugin as AdmissionPlugin
from cluster.admission.request import Request
from cluster.cache import Cache
from cluster.store import Store
from cluster.verbs import Session
from controllers.runtime import Context, Controller, Result, Watch, own_key
from environment.setting import COUNT, Section
from kube.errors import FieldError, Forbidden, Invalid, invalid
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import BUILT_IN, Kind, register
from kube.registry import Context as KindContext
from kubelet.runtimes.base import Runtime
from kubelet.runtimes.process.runtime import ProcessRuntime
from kubelet.runtimes.simulated import SimulatedRuntime
from scheduler.framework import Framework
from scheduler.plugins.base import Objection, Plugin, View
from scheduler.pods import PodInfo
from telemetry.counting import Metrics
from telemetry.exposition import render
from tests.cluster.sessions import NS, config, make
from tests.controllers.world import World
from tests.scheduler import build


def test_a_kind(cache: Cache, store: Store) -> None:
    class Strategy(ObjectStrategy):
        def default(self, obj: Json) -> None:
            obj["spec"].setdefault("colour", "yellow")

        def check_object(self, obj: Json, ctx: KindContext) -> list[FieldError]:
            return [] if obj["spec"].get("text") else [invalid("spec.text", "", "a note says something")]

    note = Kind("demo.binnacle", "v1", "Note", "notes", short_names=("nt",), strategy=Strategy())
    register(note)
    try:
        session = make(cache, store)
        made = session.create("notes.demo.binnacle", NS, {"metadata": {"name": "a"}, "spec": {"text": "hello"}})
        assert made["spec"]["colour"] == "yellow" and made["kind"] == "Note" and made["metadata"]["uid"]
        with pytest.raises(Invalid, match="a note says something"):
            session.create("notes.demo.binnacle", NS, {"metadata": {"name": "b"}, "spec": {}})
    finally:
        BUILT_IN.unregister(note)


def test_a_controller(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stamper(Controller):
        name = "stamper"
        watches = (Watch("configmaps", own_key),)

        def reconcile(self, key: str, ctx: Context) -> Result:
            namespace, _, name = key.partition("/")
            ctx.session.mutate("configmaps", namespace, name, lambda obj: obj.update(data={"seen": "yes"}))
            return None

    world = World(cache, [Stamper()], monkeypatch)
    world.create("configmaps", {"metadata": {"name": "c"}, "data": {}})
    world.step()
    assert [found["data"] for found in world.list("configmaps")] == [{"seen": "yes"}]


def test_a_scheduler_plugin() -> None:
    class QuietNodes(Plugin):
        name = "QuietNodes"
        wakes = frozenset({"Node/Add", "Node/Update"})

        def filter(self, pod: PodInfo, view: View) -> list[Objection]:
            return [Objection(view.ids("quiet") != 0, "node(s) were quiet")]

    table = build.table(build.node("a", labels={"quiet": "yes"}), build.node("b"))
    placement = Framework([QuietNodes()], seed=1).place([build.info()], table)
    assert [name for _, name in placement.placed] == ["b"]


def test_an_admission_plugin(cache: Cache, store: Store) -> None:
    class Owned(AdmissionPlugin):
        """Every ConfigMap has an owner's name."""

        storages = frozenset({"configmaps"})

        def mutate(self, request: Request) -> None:
            request.obj["metadata"].setdefault("annotations", {})["owner"] = "me"

        def validate(self, request: Request) -> None:
            if not request.obj.get("data"):
                raise request.forbid("nothing in it")

    make(cache, store)
    session = Session(1, "test", cache, store, chain=Chain([Owned()]))
    assert session.create("configmaps", NS, config(a="1"))["metadata"]["annotations"] == {"owner": "me"}
    with pytest.raises(Forbidden, match="nothing in it"):
        session.create("configmaps", NS, config("empty"))


def test_an_addon(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    (folder / "manifests").mkdir(parents=True)
    (folder / "README.md").write_text("# notes\n")
    (folder / "addon.yaml").write_text(
        "title: Notes\ndescription: Keeps notes.\nversion: '1.0'\nenabled: true\n"
        "options:\n  colour:\n    default: yellow\n    type: string\n    help: Of new notes.\n"
    )
    (folder / "manifests" / "notes.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: notes\ndata:\n  colour: ${colour}\n"
    )
    addon = catalogue(tmp_path)["notes"]
    [made] = addon.objects({"colour": "green"})
    assert made["data"] == {"colour": "green"} and made["metadata"]["labels"], "labelled as the addon's own"


@pytest.mark.parametrize("runtime", [ProcessRuntime, SimulatedRuntime])
def test_a_runtime_has_all_that_the_kubelet_asks_of_one(runtime: type[Any]) -> None:
    wanted = {name for name, value in vars(Runtime).items() if callable(value) and not name.startswith("_")}
    assert not [name for name in wanted if not callable(getattr(runtime, name, None))]


def test_a_metric() -> None:
    metrics = Metrics()
    notes = metrics.counter("notes_written_total", "Notes that were written.", "colour")
    notes.add("yellow", by=2)
    assert b'notes_written_total{colour="yellow"} 2' in render(metrics)


def test_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = Section("Notes", "For notes.").setting("BINNACLE_NOTES", COUNT, "10", "notes that are kept")
    assert limit.get() == 10
    monkeypatch.setenv("BINNACLE_NOTES", "many")
    with pytest.raises(ValueError, match="BINNACLE_NOTES is 'many': give a whole number of at least 0"):
        limit.get()
