"""The sentences in which the scheduler says why a pod waits; clients and people know them by heart."""

from __future__ import annotations

from collections import Counter

from scheduler.framework import Diagnosis

NO_NODES = "no nodes available to schedule pods"
GATED = "Scheduling is blocked due to non-empty scheduling gates"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NEVER = "not eligible due to preemptionPolicy=Never."
TERMINATING = "not eligible due to a terminating pod on the nominated node."
NO_CLAIMS = "no new claims to deallocate"


def counted(nodes: int, reasons: Counter[str]) -> str:
    """`0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.`"""
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return f"0/{nodes} nodes are available: {listed}."


def preemption(nodes: int, reasons: Counter[str]) -> str:
    """The outcome of preemption as the end of a refusal."""
    return f"{NO_CLAIMS}, preemption: {counted(nodes, reasons)}"


def refusal(diagnosis: Diagnosis, after: str) -> str:
    """The whole message; `after` says what preemption came to."""
    if not diagnosis.nodes:
        return NO_NODES
    if diagnosis.rejection:
        # No plugin after the rejecting one has run, so there is no state of claims to work on: "not found".
        return f"0/{diagnosis.nodes} nodes are available: {diagnosis.rejection}. not found"
    return f"{counted(diagnosis.nodes, diagnosis.reasons)} {after}".rstrip()
