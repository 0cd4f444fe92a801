"""The definitions of well-known projects: each is accepted, established and served."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from kube.objects import Json
from tests.apiserver.standalone import Server

CRDS = Path(__file__).parents[3] / "shared" / "crds"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
# What is read by the engines of rules and patterns, which have tests of their own.
READ = ("rule", "messageExpression", "pattern")


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
        causes = answer.get("details", {}).get("causes", [])
        if not all(cause["field"].endswith(READ) for cause in causes):
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
    server.request("DELETE", f"{DEFINITIONS}/{name}")
    while server.request("GET", f"{DEFINITIONS}/{name}")[0] != 404:
        time.sleep(0.02)


def eventually(server: Server, name: str) -> None:
    """Wait until a definition is established."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        conditions = server.request("GET", f"{DEFINITIONS}/{name}")[1]["status"].get("conditions") or []
        if any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions):
            return
        time.sleep(0.02)
    raise AssertionError(f"{name} is not established")
