"""Valid objects to begin with: the examples and addons of the project, and the recorded cases where they lie beside it."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import environment
from kube import yamltext
from kube.objects import Json

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / environment.GOLDEN.get()


def load() -> dict[str, list[Json]]:
    """Objects by kind."""
    found: defaultdict[str, list[Json]] = defaultdict(list)
    for obj in (*_manifests(), *_fields(), *_bodies()):
        if isinstance(obj, dict) and isinstance(obj.get("kind"), str) and len(found[obj["kind"]]) < 40:
            found[obj["kind"]].append(obj)
    return dict(found)


def _manifests() -> list[Any]:
    files = [*ROOT.glob("examples/*/*.yaml"), *ROOT.glob("addons/*/manifests/*.yaml")]
    texts = [part for file in sorted(files) for part in file.read_bytes().split(b"\n---")]
    found = []
    for text in texts:
        try:
            found.append(yamltext.parse(text))
        except yamltext.YamlError:  # a template
            continue
    return found


def _fields() -> list[Any]:
    """The base objects, and a few of the changed ones."""
    found = []
    for file in sorted((GOLDEN / "fields" / "cases").glob("*.jsonl")):
        lines = file.read_text().splitlines()
        base = _filled(json.loads(lines[0])["body"])
        found.append(base)
        for line in lines[1 :: max(len(lines) // 12, 1)]:
            found.append(_changed(base, json.loads(line)))  # noqa: PERF401
    return found


def _bodies() -> list[Any]:
    """The bodies of recorded requests."""
    cases = (json.loads(file.read_text()) for file in sorted((GOLDEN / "http" / "cases").glob("*/*.json")))
    return [
        _filled(step["body"]) for case in cases for step in case.get("steps", ()) if isinstance(step.get("body"), dict)
    ]


def _filled(body: Any) -> Any:
    return json.loads(json.dumps(body).replace("${ns}", "work"))


def _changed(base: Json, case: Json) -> Json:
    obj: Json = json.loads(json.dumps(base))
    holder: Any = obj
    try:
        for key in case["path"][:-1]:
            holder = holder[key]
        if case.get("del"):
            del holder[case["path"][-1]]
        else:
            holder[case["path"][-1]] = case.get("value")
    except (KeyError, IndexError, TypeError):
        return base
    return obj
