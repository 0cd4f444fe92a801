"""RBAC rules: what a rule covers, and which rules a user has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from cluster.changes import Key
from kube.users import User

GROUP = "rbac.authorization.k8s.io"
CLUSTER_ROLES = f"clusterroles.{GROUP}"
ROLES = f"roles.{GROUP}"
CLUSTER_BINDINGS = f"clusterrolebindings.{GROUP}"
BINDINGS = f"rolebindings.{GROUP}"
STORAGES = frozenset({CLUSTER_ROLES, ROLES, CLUSTER_BINDINGS, BINDINGS})


class Decision(NamedTuple):
    """`reason` says which binding allows it; of a refusal, why, where there is more to say than that no rule allows it.

    `denied`: an authorizer forbids it, rather than that none allows it.
    """

    allowed: bool
    reason: str = ""
    denied: bool = False


ALLOWED = Decision(True)
DENIED = Decision(False)


@dataclass(frozen=True, slots=True)
class Attributes:
    """One thing somebody wants to do. `path` is set, and the rest empty, for what is not a resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def target(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def rule_allows(rule: dict[str, Any], want: Attributes) -> bool:
    """Whether one PolicyRule covers the request."""
    if not _holds(rule.get("verbs"), want.verb):
        return False
    if want.path:
        return any(_path_matches(p, want.path) for p in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames")
    return (
        _holds(rule.get("apiGroups"), want.group)
        and any(
            r == "*" or r == want.target or (want.subresource and r == f"*/{want.subresource}")
            for r in rule.get("resources") or ()
        )
        and (not names or want.name in names)
    )


def _holds(values: list[str] | None, value: str) -> bool:
    return values is not None and (value in values or "*" in values)


def _path_matches(pattern: str, path: str) -> bool:
    return pattern == "*" or pattern == path or (pattern.endswith("*") and path.startswith(pattern[:-1]))


def reason(binding: Key, role: dict[str, Any], subject: dict[str, Any]) -> str:
    """Which binding allows something, in the words of Kubernetes."""
    bound = f'ClusterRoleBinding "{binding.name}"'
    if binding.namespace:
        bound = f'RoleBinding "{binding.name}/{binding.namespace}"'
    who = str(subject.get("name"))
    if subject.get("kind") == "ServiceAccount":
        who = f"{who}/{subject.get('namespace') or binding.namespace}"
    return f'RBAC: allowed by {bound} of {role.get("kind")} "{role.get("name")}" to {subject.get("kind")} "{who}"'


def split(rule: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The smallest rules whose union is this rule: one verb, one group, one resource, one name, or one path each."""
    for verb in rule.get("verbs") or ():
        for path in rule.get("nonResourceURLs") or ():
            yield {"verbs": [verb], "nonResourceURLs": [path]}
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                atom = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
                names = rule.get("resourceNames")
                yield from ({**atom, "resourceNames": [name]} for name in names) if names else (atom,)


def covers(owned: dict[str, Any], atom: dict[str, Any]) -> bool:
    """Whether `owned` allows everything that `atom` (from `split`) allows; `*` is only covered by `*`."""
    verb = atom["verbs"][0]
    if not _holds(owned.get("verbs"), verb):
        return False
    if "nonResourceURLs" in atom:
        return any(_path_matches(p, atom["nonResourceURLs"][0]) for p in owned.get("nonResourceURLs") or ())
    resource, names = atom["resources"][0], owned.get("resourceNames")
    sub = resource.partition("/")[2]
    fits = any(r in ("*", resource) or (sub and r == f"*/{sub}") for r in owned.get("resources") or ())
    return (
        _holds(owned.get("apiGroups"), atom["apiGroups"][0])
        and fits
        and (not names or (bool(atom.get("resourceNames")) and atom["resourceNames"][0] in names))
    )


def uncovered(owned: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The atoms of the wanted rules that no owned rule covers."""
    return [atom for rule in wanted for atom in split(rule) if not any(covers(o, atom) for o in owned)]


def compact(atoms: list[dict[str, Any]]) -> list[str]:
    """Missing rules as text, atoms that differ only in their verb joined: the form of escalation errors."""
    groups: dict[tuple[Any, ...], set[str]] = {}
    for atom in atoms:
        key = tuple((k, v[0]) for k, v in sorted(atom.items()) if k != "verbs")
        groups.setdefault(key, set()).add(atom["verbs"][0])
    return sorted(_rule_text(dict(key), verbs) for key, verbs in groups.items())


def _rule_text(fields: dict[str, str], verbs: set[str]) -> str:
    labels = {
        "nonResourceURLs": "NonResourceURLs",
        "apiGroups": "APIGroups",
        "resources": "Resources",
        "resourceNames": "ResourceNames",
    }
    parts = [f'{label}:["{fields[name]}"]' for name, label in labels.items() if name in fields]
    parts.append("Verbs:[" + " ".join(f'"{v}"' for v in sorted(verbs)) + "]")
    return "{" + ", ".join(parts) + "}"


def subject_keys(user: User) -> list[tuple[str, str]]:
    """The subjects that mean this user, as (kind, name)."""
    return [("User", user.name), *(("Group", group) for group in user.groups)]


def subject_key(subject: dict[str, Any], binding_namespace: str) -> tuple[str, str]:
    """A subject of a binding in the form of `subject_keys`; a service account is the user it acts as."""
    if subject.get("kind") == "ServiceAccount":
        namespace = subject.get("namespace") or binding_namespace
        return "User", f"system:serviceaccount:{namespace}:{subject.get('name')}"
    return subject.get("kind", ""), subject.get("name", "")
