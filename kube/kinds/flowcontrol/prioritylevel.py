"""PriorityLevelConfiguration: how many requests of a level are served at once."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, forbidden, invalid, not_supported, required
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import check_not_negative

TYPES = ("Exempt", "Limited")
RESPONSES = ("Queue", "Reject")
QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
MAX_QUEUES = 10_000_000


class PriorityLevelStrategy(ObjectStrategy):
    namespaced = False
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
        spec = obj["spec"]
        kind, exempt, limited = spec.get("type") or "", spec.get("exempt"), spec.get("limited")
        if kind not in TYPES:
            return [not_supported("spec.type", kind, TYPES)]
        if kind == "Exempt":
            errors = _check_shares(exempt or {}, "spec.exempt")
            return (
                errors
                if limited is None
                else [*errors, forbidden("spec.limited", "must be nil if the type is not Limited")]
            )
        if exempt is not None:
            return [forbidden("spec.exempt", "must be nil if the type is Limited")]
        path = "spec.limited"
        if limited is None:
            return [required(path, "must not be empty when type is Limited")]
        errors = _check_shares(limited, path)
        response = limited.get("limitResponse") or {}
        kind, queuing = response.get("type") or "", response.get("queuing")
        path += ".limitResponse"
        if kind not in RESPONSES:
            return [*errors, not_supported(f"{path}.type", kind, RESPONSES)]
        if kind == "Reject":
            text = "must be nil if limited.limitResponse.type is Reject"
            return errors if queuing is None else [*errors, forbidden(f"{path}.queuing", text)]
        if queuing is None:
            return [*errors, required(f"{path}.queuing", "must not be empty if limited.limitResponse.type is Queue")]
        path += ".queuing"
        errors += [
            invalid(f"{path}.{name}", queuing[name], "must be positive") for name in QUEUING if queuing[name] <= 0
        ]
        if queuing["queues"] > MAX_QUEUES:
            errors.append(invalid(f"{path}.queues", queuing["queues"], f"must not be greater than {MAX_QUEUES}"))
        if queuing["handSize"] > queuing["queues"]:
            errors.append(
                invalid(
                    f"{path}.handSize", queuing["handSize"], f"should not be greater than queues ({queuing['queues']})"
                )
            )
        return errors


def _check_shares(level: Json, path: str) -> list[FieldError]:
    errors = check_not_negative(f"{path}.nominalConcurrencyShares", level.get("nominalConcurrencyShares"))
    lendable, borrowing = level.get("lendablePercent"), level.get("borrowingLimitPercent")
    if lendable is not None and not 0 <= lendable <= 100:
        errors.append(invalid(f"{path}.lendablePercent", lendable, "must be between 0 and 100, inclusive"))
    return errors + check_not_negative(f"{path}.borrowingLimitPercent", borrowing)


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
