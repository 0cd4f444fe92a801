"""Metrics of custom resources: as kube-state-metrics makes them of the same configuration, and as the kinds come and go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from client import ApiStatusError, Client
from monitoring.objects import ObjectMetrics, custom, following, paths
from tests.monitoring.objects.test_recorded import read

RECORDED = [json.loads(line) for line in Path(__file__).with_name("recorded-custom.jsonl").read_text().splitlines()]
FOO = """
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: example.org, version: "*", kind: Foo}
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - name: uptime
      help: Foo uptime
      each: {type: Gauge, gauge: {path: [status, uptime]}}
"""


@pytest.mark.parametrize("case", RECORDED, ids=[str(at) for at in range(len(RECORDED))])
def test_the_samples_are_those_of_kube_state_metrics(case: dict[str, Any]) -> None:
    described = {"kind": "CustomResourceStateMetrics", "spec": {"resources": [case["resource"]]}}
    [resource] = custom.parse(json.dumps(described))
    made = b"".join(resource.families("v1", "Foo", "foos").render(case["object"])).decode().splitlines()
    assert read(made) == read(case["samples"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not valid YAML"),
        ("kind: Other", "kind is not CustomResourceStateMetrics"),
        ("kind: CustomResourceStateMetrics\nspec: {resources: {}}", "spec.resources is no list"),
        (FOO.replace("labelsFromPath", "labelFromPath"), r"spec.resources\[0\].labelFromPath is unknown"),
        (FOO.replace("name: uptime", "name: ''"), r"spec.resources\[0\].metrics\[0\].name is missing"),
        (FOO.replace("Gauge,", "Counter,"), "unknown metric type 'Counter'"),
        (FOO.replace("gauge:", "info:"), "expected"),
        (FOO.replace("[status, uptime]", "['[x]']"), r"invalid list lookup: \[x\]"),
        (FOO.replace("[metadata, name]", "name"), "a path is a list of texts"),
        (FOO.replace('{group: example.org, version: "*", kind: Foo}', "Foo"), "groupVersionKind is no object"),
    ],
)
def test_what_is_wrong_in_a_configuration_is_told(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        custom.parse(text)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (True, 1),
        ("yes", 1),
        ("Unknown", 0),
        ("2026-01-01T00:00:00Z", 1767225600),
        ("25m", 0.025),
        ("5Gi", 5 << 30),
        ("40%", 0.4),
        (3, 3),
        ("1e3", 1000),
    ],
)
def test_numbers(value: Any, number: float) -> None:
    assert paths.number(value) == number


@pytest.mark.parametrize("value", [None, {}, [], "", "x", "2026-01-01"])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(ValueError):
        paths.number(value)


class Api:
    """A client of a server with one kind, which may be gone."""

    failures: tuple[type[Exception], ...] = ()

    def __init__(self) -> None:
        self.served = False
        self.watched = asyncio.Event()

    async def get(self, path: str, params: Any = None) -> Any:
        foo = {"name": "foos", "kind": "Foo", "verbs": ["list", "watch"]}
        found: dict[str, Any] = {
            "/apis/example.org": {"versions": [{"version": "v1"}, {"version": "v2"}]},
            "/apis/example.org/v1": {"resources": [foo, {**foo, "name": "foos/status"}]},
            "/apis/example.org/v2": {"resources": [{**foo, "kind": "Bar", "name": "bars"}]},
        }
        if not self.served or path not in found:
            raise ApiStatusError({"code": 404})
        return found[path]

    async def list(self, path: str, params: Any, page: int = 500, transform: Callable[[Any], Any] | None = None) -> Any:
        assert path == "/apis/example.org/v1/foos" and transform is not None
        foo = {"metadata": {"name": "f", "uid": "u", "resourceVersion": "1"}, "status": {"uptime": 43.21}}
        return {"items": [transform(foo)], "metadata": {"resourceVersion": "1"}}

    async def stream(self, path: str, params: Any, timeout: float) -> AsyncIterator[Any]:
        self.watched.set()
        await asyncio.sleep(3600)
        yield {}


def test_kinds_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK", 0.01)

    async def run() -> None:
        api = Api()
        metrics = ObjectMetrics(cast(Client, api), custom=custom.parse(FOO))
        following_it = asyncio.ensure_future(metrics.custom.run())
        await asyncio.sleep(0)
        assert b"kube_customresource" not in metrics.render()
        api.served = True
        await asyncio.wait_for(api.watched.wait(), 30)
        assert (
            b"# HELP kube_customresource_uptime Foo uptime\n# TYPE kube_customresource_uptime gauge\n"
            b'kube_customresource_uptime{customresource_group="example.org",customresource_kind="Foo",'
            b'customresource_version="v1",name="f"} 43.21\n'
        ) in metrics.render()
        api.served = False
        while metrics.custom.mirrors:
            await asyncio.sleep(0.01)
        assert b"kube_customresource" not in metrics.render()
        following_it.cancel()

    asyncio.run(asyncio.wait_for(run(), 60))
