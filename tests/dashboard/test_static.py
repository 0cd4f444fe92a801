"""What the browser gets: vendored files as recorded, no inline script, no request elsewhere; and no way to write."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from dashboard import statics, vendor

HERE = Path(statics.ROOT).parent
OURS = [p.resolve() for p in (HERE / "static").rglob("*.js") if "vendor" not in p.parts]


def test_vendored_files_are_what_the_manifest_says() -> None:
    assert vendor.check() == []


def test_every_import_leads_to_a_file() -> None:
    for path in [*OURS, *(HERE / "static" / "vendor").glob("*.js")]:
        for target in re.findall(r"""(?:from|import)\s*\(?["'](\.[^"']+)["']""", path.read_text()):
            assert (path.parent / target).resolve().is_file(), f"{path.name} imports {target}"


def imports() -> dict[Path, list[Path]]:
    """What each of our modules imports before it runs."""
    pattern = re.compile(r"""^(?:import|export)\b[^;]*?["'](\.[^"']+)["'];""", re.M)
    return {path: [(path.parent / one).resolve() for one in pattern.findall(path.read_text())] for path in OURS}


def test_imports_go_one_way() -> None:
    """Boot, frame, registry, pages, parts, state: no module waits for one that waits for it."""
    graph = imports()
    assert sum(map(len, graph.values())) > 100
    TopologicalSorter(graph).prepare()  # raises CycleError
    for path, targets in graph.items():
        if "pages" in path.parts:
            frame = {"pages.js", "chrome.js", "overlays.js", "boot.js"} & {target.name for target in targets}
            assert not frame, f"{path.name} is shown by {frame}, and knows nothing of it"


def test_what_the_first_page_needs_is_preloaded_and_nothing_else() -> None:
    wanted, to_read = set[Path](), [statics.ROOT / "js" / "boot.js"]
    graph = imports()
    while to_read:
        for target in graph.get(to_read.pop().resolve(), []):
            if target not in wanted:
                wanted.add(target)
                to_read.append(target)
    preloaded = {(statics.ROOT / name).resolve() for name in statics.modules()}
    assert wanted <= preloaded
    assert {path for path in preloaded - wanted if path.parent.name != "vendor"} == set()
    assert not [path for path in preloaded if path.name in ("plots.js", "uplot.js") or "logs" in path.parts]


@pytest.mark.parametrize("path", OURS, ids=lambda p: p.name)
def test_no_script_makes_markup_from_strings_or_calls_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"(inner|outer|Adjacent|SetInner)HTML|document\.write|\beval\(|new Function", text)
    assert not re.search(r"https?://", text)


def test_templates_hold_no_inline_script_or_style() -> None:
    for path in (HERE / "templates" / "dashboard").glob("*.html"):
        text = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|<style|\sstyle=|javascript:", text), path.name
        assert not re.search(r'(?:src|href|action)="(?!\{\{)', text), f"{path.name}: links are relative to the request"


def test_nothing_in_the_dashboard_writes_cluster_state() -> None:
    for path in HERE.glob("*.py"):
        text = path.read_text()
        writes = re.search(r"\b(Write|awrite|write_many|cluster\.verbs|Session)\b|store\.write|\.compact\(", text)
        assert not writes, path.name
    # The one POST to the API asks who a token is; those to the log store are searches; the view takes logins.
    found = {p.name: len(re.findall(r'"(POST|PUT|PATCH|DELETE)"', p.read_text())) for p in HERE.glob("*.py")}
    assert {name: count for name, count in found.items() if count} == {"api.py": 1, "services.py": 2, "views.py": 1}
