"""The dashboard's modules that decide something, in Chromium: the tables of cases under tests/browser/js, and that they
agree with Python about quantities and durations."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from kube import clock, quantity
from tests.browser.conftest import Site
from tests.conftest import ROOT

HERE = ROOT / "tests" / "browser" / "js"
TABLES = sorted(path.name for path in HERE.glob("*.test.js"))
BLANK = '<!doctype html><meta name="root" content="/"><title>Blank</title><div id="app"></div>'


@pytest.fixture(scope="module")
def blank(site: Site, chrome: Any) -> Iterator[Any]:
    """A page without the dashboard, at whose origin the repository's scripts are under /repo/."""
    context = chrome.new_context(base_url=site.url)
    page = context.new_page()
    page.route("**/repo/**", lambda route: route.fulfill(path=ROOT / route.request.url.split("/repo/")[1]))
    page.route("**/blank", lambda route: route.fulfill(body=BLANK, content_type="text/html"))
    yield page
    context.close()


def asked(page: Any, script: str, value: Any = None) -> Any:
    page.goto("blank")
    return page.evaluate(script, value)


@pytest.mark.parametrize("table", TABLES)
def test_the_cases_of(blank: Any, table: str) -> None:
    found = asked(
        blank,
        """async (table) => {
            await import(`/repo/tests/browser/js/${table}`);
            return (await import('/repo/tests/browser/js/harness.js')).results();
        }""",
        table,
    )
    assert found["ran"] and not found["failed"], "\n".join(found["failed"])


def in_format(page: Any, function: str, values: list[Any]) -> list[Any]:
    """What a function of format.js makes of each value."""
    found = asked(
        page,
        """async ([name, values]) => {
            const format = await import('/repo/dashboard/static/js/format.js');
            return values.map((value) => format[name](value));
        }""",
        [function, values],
    )
    return list(found)


def test_durations_are_written_as_kubectl_writes_them(blank: Any) -> None:
    rng = random.Random(8)
    seconds = [*range(700), *(int(10 ** rng.uniform(2, 9)) for _ in range(2000))]
    assert in_format(blank, "human", seconds) == [clock.human(one) for one in seconds]


def test_quantities_are_read_as_kubernetes_reads_them(blank: Any) -> None:
    rng = random.Random(8)
    suffixes = ["", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "E-2", "e+1"]
    texts = [
        f"{sign}{rng.randrange(1000)}{point}{s}"
        for s in suffixes
        for sign in ("", "-", "+")
        for point in ("", ".", ".25")
    ]
    found = in_format(blank, "amountOf", texts)
    for text, amount in zip(texts, found, strict=True):
        assert amount == pytest.approx(quantity.parse(text).nano / 1e9, rel=1e-9, abs=1e-9), text
    wrong = ["", "x", "1.2.3", "1 Gi", "1gi", "Mi", "1e", "--1", "1mi", "0x1"]
    assert in_format(blank, "amountOf", wrong) == [None] * len(wrong)
    for text in wrong:
        with pytest.raises(ValueError):
            quantity.parse(text)
