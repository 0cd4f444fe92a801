"""What a job's podFailurePolicy says about a failed pod, and whether its successPolicy is met. Pure."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from controllers.job import indexes
from controllers.pods import PodView
from kube.objects import Json


class Verdict(NamedTuple):
    """The action of the first rule that matches a failed pod (Count when none does), and why."""

    action: str
    message: str = ""


def on_failure(job: Json, pod: PodView) -> Verdict:
    """What the failure of a pod means: Count, Ignore, FailIndex or FailJob."""
    policy = job["spec"].get("podFailurePolicy")
    if policy is None or pod.phase != "Failed":
        return Verdict("Count")
    for number, rule in enumerate(policy.get("rules") or ()):
        why = _by_exit_code(rule.get("onExitCodes"), pod) or _by_condition(rule.get("onPodConditions"), pod)
        if why:
            return Verdict(rule["action"], f"{why} matching {rule['action']} rule at index {number}")
    return Verdict("Count")


def _by_exit_code(wanted: Json | None, pod: PodView) -> str:
    if not wanted:
        return ""
    for status in pod.all_statuses:
        end = status.state.terminated if status.state else None
        if end is None or end.exitCode == 0 or wanted.get("containerName") not in (None, status.name):
            continue
        if (end.exitCode in wanted["values"]) is (wanted["operator"] == "In"):
            return f"Container {status.name} for pod {_path(pod)} failed with exit code {end.exitCode}"
    return ""


def _by_condition(wanted: list[Json] | None, pod: PodView) -> str:
    for pattern in wanted or ():
        condition = pod.condition(pattern["type"])
        if condition is not None and condition.status == pattern.get("status", "True"):
            return f"Pod {_path(pod)} has condition {pattern['type']}"
    return ""


def _path(pod: PodView) -> str:
    return f"{pod.metadata.namespace}/{pod.name}"


def success(job: Json, succeeded: Set[int]) -> str:
    """Why the success policy is met, "" when it is not (or there is none)."""
    policy = job["spec"].get("successPolicy")
    for number, rule in enumerate((policy or {}).get("rules") or ()):
        needed, hits = rule.get("succeededCount"), succeeded
        if rule.get("succeededIndexes"):
            wanted = indexes.parse(rule["succeededIndexes"], job["spec"].get("completions", 0))
            hits = wanted & succeeded
            needed = len(wanted) if needed is None else needed
        if needed is not None and len(hits) >= needed:
            return f"Matched rules at index {number}"
    return ""
