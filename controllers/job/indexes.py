"""Sets of completion indexes and their compressed text, e.g. "0-2,5"."""

from __future__ import annotations

from collections.abc import Iterable

INDEX = "batch.kubernetes.io/job-completion-index"


def parse(text: str, completions: int) -> set[int]:
    """The indexes below `completions` that a text names."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        low, _, high = part.partition("-")
        found.update(range(int(low), min(int(high or low), completions - 1) + 1))
    return found


def render(indexes: Iterable[int]) -> str:
    """The shortest text for a set of indexes; two neighbours are written with a comma."""
    parts: list[str] = []
    run: list[int] = []
    for index in [*sorted(indexes), None]:
        if run and (index is None or index != run[-1] + 1):
            parts += [str(run[0])] if len(run) == 1 else [f"{run[0]}{',' if len(run) == 2 else '-'}{run[-1]}"]
            run = []
        if index is not None:
            run.append(index)
    return ",".join(parts)
