"""Which FlowSchema a request belongs to, and which flow within it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from apiserver.paths import RequestInfo
from kube.objects import Json
from kube.users import SERVICE_ACCOUNT, User

BY_USER, BY_NAMESPACE = "ByUser", "ByNamespace"


@dataclass(frozen=True, slots=True)
class Schema:
    """A FlowSchema: `by` is what tells its flows apart, "" for nothing."""

    name: str
    uid: str
    level: str
    precedence: int
    by: str
    rules: tuple[Json, ...]

    @classmethod
    def of(cls, obj: Json) -> Schema:
        meta, spec = obj["metadata"], obj["spec"]
        return cls(
            meta["name"],
            meta.get("uid", ""),
            spec["priorityLevelConfiguration"]["name"],
            spec.get("matchingPrecedence") or 1000,
            (spec.get("distinguisherMethod") or {}).get("type", ""),
            tuple(spec.get("rules") or ()),
        )

    def matches(self, user: User, info: RequestInfo) -> bool:
        about = _resource if info.is_resource else _path
        return any(
            any(_subject(subject, user) for subject in rule.get("subjects") or ())
            and any(about(one, info) for one in rule.get(_PART[info.is_resource]) or ())
            for rule in self.rules
        )

    def flow(self, user: User, info: RequestInfo) -> str:
        """What tells the request's flow from others of this schema."""
        return user.name if self.by == BY_USER else info.namespace if self.by == BY_NAMESPACE else ""


_PART = {True: "resourceRules", False: "nonResourceRules"}


def ordered(schemas: Iterable[Schema]) -> list[Schema]:
    """In the order in which they are tried."""
    return sorted(schemas, key=lambda schema: (schema.precedence, schema.name))


def _subject(subject: Json, user: User) -> bool:
    match subject.get("kind"):
        case "User":
            return subject["user"]["name"] in ("*", user.name)
        case "Group":
            name = subject["group"]["name"]
            return name == "*" or name in user.groups
        case "ServiceAccount":
            account = subject["serviceAccount"]
            beginning = f"{SERVICE_ACCOUNT}{account['namespace']}:"
            return user.startswith(beginning) and account["name"] in ("*", user.name[len(beginning) :])
    return False


def _has(values: Iterable[str] | None, value: str) -> bool:
    return any(one in ("*", value) for one in values or ())


def _resource(rule: Json, info: RequestInfo) -> bool:
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    return (
        _has(rule.get("verbs"), info.verb)
        and _has(rule.get("apiGroups"), info.group)
        and _has(rule.get("resources"), resource)
        and (_has(rule.get("namespaces"), info.namespace) if info.namespace else bool(rule.get("clusterScope")))
    )


def _path(rule: Json, info: RequestInfo) -> bool:
    return _has(rule.get("verbs"), info.verb) and any(
        one in ("*", info.path) or (one.endswith("*") and info.path.startswith(one[:-1]))
        for one in rule.get("nonResourceURLs") or ()
    )
