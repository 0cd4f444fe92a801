"""The definitions of well-known projects: each is accepted, established and served."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from kube.objects import Json
from tests.apiserver.standalone import Server

CRDS = Path(__file__).parents[3] / "shared" / "crds"
EXAMPLES = Path(__file__).parent / "crd_examples.yaml"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def definitions() -> Iterator[Json]:
    for path in sorted(CRDS.glob("*.json")):
        yield orjson.loads(path.read_bytes())


@pytest.mark.timeout(300)
@pytest.mark.skipif(not CRDS.exists(), reason="the definitions are not beside the project")
def test_definitions_of_other_projects_are_served(tmp_path: Path) -> None:
    problems: list[str] = []
    with Server(tmp_path / "var") as server:
        for definition in definitions():
            problems += of(server, definition)
    assert not problems, "\n".join(problems)


def of(server: Server, definition: Json) -> Iterator[str]:
    """What is wrong with the way in which one definition is served; it is deleted afterwards."""
    spec, name = definition["spec"], definition["metadata"]["name"]
    status, answer = server.request("POST", DEFINITIONS, definition)
    if status != 201:
        yield f"{name}: {answer['message'][:300]}"
        return
    eventually(server, name)
    for version in (version["name"] for version in spec["versions"] if version["served"]):
        place = f"apis/{spec['group']}/{version}"
        resources = server.request("GET", f"/{place}")[1]["resources"]
        if spec["names"]["plural"] not in [resource["name"] for resource in resources]:
            yield f"{name}: {version} is not in the discovery"
        schemas = server.request("GET", f"/openapi/v3/{place}")[1]["components"]["schemas"]
        reversed_group = ".".join(reversed(spec["group"].split(".")))
        if f"{reversed_group}.{version}.{spec['names']['kind']}" not in schemas:
            yield f"{name}: {version} is not in OpenAPI"
    for example in yaml.safe_load_all(EXAMPLES.read_text()):
        if example["kind"] == spec["names"]["kind"] and example["apiVersion"].startswith(f"{spec['group']}/"):
            yield from created(server, spec, example)
    server.request("DELETE", f"{DEFINITIONS}/{name}")
    end = time.monotonic() + 30
    while server.request("GET", f"{DEFINITIONS}/{name}")[0] != 404:
        assert time.monotonic() < end, f"{name} is not gone"
        time.sleep(0.02)


def created(server: Server, spec: Json, example: Json) -> Iterator[str]:
    """What is wrong with the answer to an object as a project's documentation shows it."""
    scope = "/namespaces/default" if spec["scope"] == "Namespaced" else ""
    place = f"/apis/{example['apiVersion']}{scope}/{spec['names']['plural']}"
    status, answer = server.request("POST", f"{place}?fieldValidation=Strict", example)
    if status != 201 or not contains(answer["spec"], example["spec"]):
        yield f"{example['kind']} {example['metadata']['name']}: {status} {str(answer)[:1500]}"
        return
    table = server.request("GET", place, Accept="application/json;as=Table;g=meta.k8s.io;v=v1")[1]
    if len(table["rows"]) != 1 or len(table["rows"][0]["cells"]) != len(table["columnDefinitions"]):
        yield f"{example['kind']}: its table is {table}"
    applied = server.request(
        "PATCH",
        f"{place}/{example['metadata']['name']}?fieldManager=me&force=true",
        example,
        Content_Type="application/apply-patch+yaml",
    )
    if applied[0] != 200:
        yield f"{example['kind']}: applied: {applied}"
    # What holds it would hold its definition.
    free = {"metadata": {"finalizers": None}}
    server.request("PATCH", f"{place}/{example['metadata']['name']}", free, Content_Type="application/merge-patch+json")


def contains(found: Any, wanted: Any) -> bool:
    """Whether all that was sent came back: defaults may be added, nulls left out."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            value is None or contains(found.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(contains, found, wanted))
    return bool(found == wanted)


def eventually(server: Server, name: str) -> None:
    """Wait until a definition is established."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        conditions = server.request("GET", f"{DEFINITIONS}/{name}")[1]["status"].get("conditions") or []
        if any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions):
            return
        time.sleep(0.02)
    raise AssertionError(f"{name} is not established")
