"""The controllers' settings, from the environment. A value that is no number of its kind is refused by name."""

from __future__ import annotations

import os


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise RuntimeError(f"{name} is {text!r}: give a number of at least 0")
    return value


def node_grace() -> float:
    """Seconds without a renewed Lease after which a node counts as unknown."""
    return _number("BINNACLE_NODE_GRACE", 40.0)


def terminated_pods() -> int:
    """Finished pods that are kept over the whole cluster."""
    return int(_number("BINNACLE_TERMINATED_PODS", 12_500))


def metrics_period() -> float:
    """Seconds between two looks of the horizontal pod autoscaler."""
    return _number("BINNACLE_AUTOSCALER_PERIOD", 15.0)


def history_hours() -> float:
    """How long the change log keeps what was replaced."""
    return _number("BINNACLE_HISTORY_HOURS", 24.0)


def history_changes() -> int:
    """How many of the newest changes the log keeps at most, beside the newest state of each object."""
    return int(_number("BINNACLE_HISTORY_CHANGES", 200_000))


def event_seconds() -> float:
    """How long an Event object is kept after it was last written, as kube-apiserver's `--event-ttl`."""
    return _number("BINNACLE_EVENT_TTL", 3600.0)
