"""A policy file of `audit.k8s.io/v1`: the first rule that fits a request says how much of it is written.

No rule: nothing. The fields and what they match are those of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from cluster.configfile import parsed, read

Stage = Literal["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]
Level = Literal["None", "Metadata", "Request", "RequestResponse"]
NONE, METADATA, REQUEST, REQUEST_RESPONSE = range(4)
LEVELS: tuple[Level, ...] = ("None", "Metadata", "Request", "RequestResponse")
MEMO = 10_000  # requests whose verdict is remembered


class GroupResources(msgspec.Struct, forbid_unknown_fields=True):
    group: str = ""
    resources: tuple[str, ...] = ()
    resourceNames: tuple[str, ...] = ()

    def fits(self, what: Subject) -> bool:
        if self.group != what.group:
            return False
        if not self.resources:
            return True
        return (not self.resourceNames or what.name in self.resourceNames) and any(
            _names(pattern, what) for pattern in self.resources
        )


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    level: Level
    users: tuple[str, ...] = ()
    userGroups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    nonResourceURLs: tuple[str, ...] = ()
    omitStages: tuple[Stage, ...] = ()
    omitManagedFields: bool | None = None

    def fits(self, what: Subject) -> bool:
        if (self.users and what.user not in self.users) or (self.verbs and what.verb not in self.verbs):
            return False
        if self.userGroups and not any(group in self.userGroups for group in what.groups):
            return False
        if self.namespaces or self.resources:
            if not what.resource or (self.namespaces and what.namespace not in self.namespaces):
                return False
            return not self.resources or any(one.fits(what) for one in self.resources)
        if self.nonResourceURLs:
            return not what.resource and any(_leads_to(pattern, what.path) for pattern in self.nonResourceURLs)
        return True


class _File(msgspec.Struct, forbid_unknown_fields=True):
    apiVersion: Literal["audit.k8s.io/v1"]
    kind: Literal["Policy"]
    rules: tuple[Rule, ...] = ()
    omitStages: tuple[Stage, ...] = ()
    omitManagedFields: bool = False
    metadata: dict[str, object] = {}


class Subject(NamedTuple):
    """What a policy judges. `user` is None where nobody was authenticated; `path` is given where `resource` is not."""

    user: str | None
    groups: Sequence[str]
    verb: str
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class Verdict(NamedTuple):
    """How much is written of a request, one of the levels above, and at which stages nothing."""

    level: int
    omit: frozenset[str] = frozenset()
    omit_managed_fields: bool = False


NOTHING = Verdict(NONE)


class Policy:
    """Judges requests, from any thread."""

    def __init__(self, rules: Sequence[Rule], omit: Sequence[str] = (), omit_managed_fields: bool = False) -> None:
        self._rules = [
            (
                rule,
                Verdict(
                    LEVELS.index(rule.level),
                    frozenset((*omit, *rule.omitStages)),
                    omit_managed_fields if rule.omitManagedFields is None else rule.omitManagedFields,
                ),
            )
            for rule in rules
        ]
        self._by_name = any(one.resourceNames for rule in rules for one in rule.resources)
        self._memo: dict[tuple[object, ...], Verdict] = {}

    def judge(self, what: Subject) -> Verdict:
        """What the first rule that fits says."""
        # Remembered only within bounds: paths and names are the client's to invent.
        known = what.resource and max(map(len, what[3:])) < 256
        key = what if self._by_name else what[:8]
        found = self._memo.get(key) if known else None
        if found is None:
            found = next((verdict for rule, verdict in self._rules if rule.fits(what)), NOTHING)
            if known:
                if len(self._memo) >= MEMO:
                    self._memo.clear()
                self._memo[key] = found
        return found


def load(path: Path) -> Policy:
    """The policy of a file. Raises ValueError, which says what is wrong in which file."""
    file = read(_File, parsed(path), str(path))
    if not file.rules:
        raise ValueError(f"{path}: no rules: write at least one, such as `- level: Metadata`")
    for at, rule in enumerate(file.rules):
        if problem := _problem(rule):
            raise ValueError(f"{path}: rules[{at}]: {problem}")
    return Policy(file.rules, file.omitStages, file.omitManagedFields)


def _problem(rule: Rule) -> str:
    if rule.nonResourceURLs and (rule.resources or rule.namespaces):
        return "has both nonResourceURLs and resources or namespaces, which fit no request together"
    for url in rule.nonResourceURLs:
        if url != "*" and not url.startswith("/"):
            return f"nonResourceURLs: {url!r} is neither * nor begins with /"
        if "*" in url[:-1]:
            return f"nonResourceURLs: {url!r} has a * that is not its end"
    for group in rule.resources:
        if "/" in group.group:
            return f"resources: {group.group!r} is a group with a version: leave the version out"
        if group.resourceNames and not group.resources:
            return "resources: resourceNames need resources"
    return ""


def _names(pattern: str, what: Subject) -> bool:
    resource, _, subresource = pattern.partition("/")
    if pattern == "*":
        return True
    if resource not in ("*", what.resource):
        return False
    if resource == "*":
        return subresource == what.subresource
    return subresource == what.subresource or (subresource == "*")


def _leads_to(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern[:-1]))
