"""PriorityLevelConfiguration: how many requests of a level are served at once."""

from __future__ import annotations

import math
from typing import Any

from kube import columns as c
from kube.errors import FieldError, forbidden, invalid, not_supported, required
from kube.kinds.flowcontrol.flowschema import check_conditions, check_mandatory
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import check_range

TYPES = ("Exempt", "Limited")
RESPONSES = ("Queue", "Reject")
QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
MAX_QUEUES = 10_000_000
HASH_BITS = 60  # of a request, from which its hand of queues is dealt


class PriorityLevelStrategy(ObjectStrategy):
    namespaced = False
    whole_first = True
    status = True
    generation = True

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        if spec.get("type") == "Exempt":
            exempt = spec.setdefault("exempt", {})
            exempt.setdefault("nominalConcurrencyShares", 0)
            exempt.setdefault("lendablePercent", 0)
        if (limited := spec.get("limited")) is not None:
            limited.setdefault("nominalConcurrencyShares", 30)
            limited.setdefault("lendablePercent", 0)
            queuing = (limited.get("limitResponse") or {}).get("queuing")
            if queuing is not None:
                for name, value in QUEUING.items():
                    queuing[name] = queuing.get(name) or value

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec, exempted = obj["spec"], obj["metadata"].get("name") == "exempt"
        kind, exempt, limited = spec.get("type") or "", spec.get("exempt"), spec.get("limited")
        errors: list[FieldError] = []
        if exempted != (kind == "Exempt"):
            errors.append(invalid("spec.type", kind, "must be 'Exempt' if and only if `name` is 'exempt'"))
        if kind == "Exempt":
            if limited is not None:
                errors.append(forbidden("spec.limited", "must be nil if the type is not Limited"))
            return errors + _check_shares(exempt or {}, "spec.exempt")
        if kind == "Limited":
            if exempt is not None:
                errors.append(forbidden("spec.exempt", "must be nil if the type is Limited"))
            if limited is None:
                return [*errors, required("spec.limited", "must not be empty when type is Limited")]
            return errors + _check_limited(limited, "spec.limited")
        return [*errors, _unknown_type("spec.type", kind, TYPES)]

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = dict(obj["spec"]), dict(old.get("spec") or {})
        if obj["metadata"].get("name") != "exempt":
            return check_mandatory(obj, new, before, "")
        new["exempt"] = before["exempt"] = None
        return check_mandatory(obj, new, before, " except the 'spec.exempt' field")

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_conditions(obj.get("status") or {})


def _unknown_type(path: str, kind: str, known: tuple[str, ...]) -> FieldError:
    return not_supported(path, kind, known) if kind else required(path)


def _check_limited(limited: Json, path: str) -> list[FieldError]:
    response, at = limited.get("limitResponse") or {}, f"{path}.limitResponse"
    kind, queuing = response.get("type") or "", response.get("queuing")
    errors = _check_shares(limited, path)
    borrowing = limited.get("borrowingLimitPercent")
    if borrowing is not None and borrowing < 0:
        message = "if specified, must be a non-negative integer"
        errors.append(invalid(f"{path}.borrowingLimitPercent", borrowing, message))
    if kind not in RESPONSES:
        return [*errors, _unknown_type(f"{at}.type", kind, RESPONSES)]
    if kind == "Reject":
        message = "must be nil if limited.limitResponse.type is not Limited"
        return errors if queuing is None else [*errors, forbidden(f"{at}.queuing", message)]
    if queuing is None:
        return [*errors, required(f"{at}.queuing", "must not be empty if limited.limitResponse.type is Limited")]
    return errors + _check_queuing(queuing, f"{at}.queuing")


def _check_queuing(queuing: Json, path: str) -> list[FieldError]:
    queues, hand = queuing["queues"], queuing["handSize"]
    errors = [
        invalid(f"{path}.{name}", queuing[name], "must be positive")
        for name in ("queueLengthLimit", "queues", "handSize")
        if queuing[name] <= 0
    ]
    if queues > MAX_QUEUES:
        errors.append(invalid(f"{path}.queues", queues, f"must not be greater than {MAX_QUEUES}"))
    if hand > queues:
        errors.append(invalid(f"{path}.handSize", hand, f"should not be greater than queues ({queues})"))
    elif hand > 0 and math.ceil(math.log2(queues) * hand) > HASH_BITS:
        message = (
            f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {HASH_BITS}"
        )
        errors.append(invalid(f"{path}.handSize", hand, message))
    return errors


def _check_shares(level: Json, path: str) -> list[FieldError]:
    shares, lendable = level.get("nominalConcurrencyShares"), level.get("lendablePercent")
    errors: list[FieldError] = []
    if shares is not None and shares < 0:
        errors.append(invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer"))
    return errors + (check_range(f"{path}.lendablePercent", lendable, 0, 100) if lendable is not None else [])


def cells(obj: Json, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    level = spec.get("limited") or spec.get("exempt") or {}
    queuing = (level.get("limitResponse") or {}).get("queuing") or {}
    shares = level.get("nominalConcurrencyShares")
    return [
        obj["metadata"]["name"],
        spec.get("type", ""),
        c.NONE if shares is None else shares,
        *(queuing.get(name, c.NONE) for name in ("queues", "handSize", "queueLengthLimit")),
        c.age(obj, now),
    ]


KIND = Kind(
    "flowcontrol.apiserver.k8s.io",
    "v1",
    "PriorityLevelConfiguration",
    "prioritylevelconfigurations",
    namespaced=False,
    subresources=("status",),
    strategy=PriorityLevelStrategy(),
    cells=cells,
    definition="io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
    columns=(
        c.NAME,
        c.column("Type", description="Whether requests of this level are limited."),
        c.column("NominalConcurrencyShares", description="The share of the server that this level gets."),
        c.column("Queues", description="How many queues there are."),
        c.column("HandSize", description="From how many queues one is chosen."),
        c.column("QueueLengthLimit", description="How many requests may wait in a queue."),
        c.AGE,
    ),
)
