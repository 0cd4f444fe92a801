"""What both backends answer: the figure of the whole, the greatest of its parts, and the rest of them as one."""

from __future__ import annotations

from collections.abc import Mapping

from kube.objects import Json
from monitoring.history.figures import FIGURES, NUMBER
from monitoring.queries.ask import Ask
from monitoring.queries.grid import Values, added, mean

Labels = tuple[tuple[str, str], ...]
LITTLE = 0.01  # a rest that is less than this part of the whole is left out when nothing was cut off


class BackendError(Exception):
    """The figures cannot be had now; the text says why. May be asked again later."""


def figure(ask: Ask, metric: str, total: Values, parts: Mapping[Labels, Values]) -> Json:
    """`{"unit", "total": [...], "series": [{"labels", "values"}], "other": [...] or null}`; values None: not measured."""
    ranked = sorted(
        ((labels, values) for labels, values in parts.items() if any(v is not None for v in values)),
        key=lambda pair: (-mean(pair[1]), pair[0]),
    )
    shown = ranked[: ask.top]
    rest = None
    if ask.by:
        sums = added((values for _, values in shown), len(total))
        rest = [
            None if whole is None else max(0.0, whole - (part or 0.0)) for whole, part in zip(total, sums, strict=True)
        ]
        # A node does more than its pods, a namespace has pods of no workload; of a workload or pod the parts are all.
        whole_is_more = not (ask.workload or ask.pod) and mean(rest) > LITTLE * mean(total)
        if len(ranked) <= ask.top and not whole_is_more:
            rest = None
    return {
        "unit": FIGURES[NUMBER[metric]].unit,
        "total": _short(total),
        "other": rest and _short(rest),
        "series": [{"labels": dict(labels), "values": _short(values)} for labels, values in shown],
    }


def _short(values: Values) -> Values:
    """Six digits are more than one can see."""
    return [None if value is None else float(f"{value:.6g}") for value in values]


def document(ask: Ask, figures: Mapping[str, Json], backend: str, interval: int, newest: float) -> Json:
    """`times`: ends of the steps; `newest`: when there was last anything (epoch seconds, 0: never)."""
    return {
        "backend": backend,
        "interval": interval,
        "step": ask.step,
        "newest": newest,
        "times": ask.times,
        "stat": ask.stat,
        "figures": dict(figures),
    }
