"""The behaviour of custom kinds, from their schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kube.crd import structural, validations, values
from kube.errors import FieldError, invalid
from kube.objectmeta import finalizer_warnings, validate_meta, validate_meta_update
from kube.objects import Json, fetch
from kube.registry import Context, Scale, Strategy, carry_generation, keep

_BLOCKING = {"FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"}
_UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to "
    "complete validation"
)


_MOST_REPLICAS = 2**31 - 1


class CustomStrategy(Strategy):
    """`status`: whether the version has the status subresource; without it, status is data like any other."""

    generation = True
    unconditional_update = False

    def __init__(self, schema: Json, status: bool, namespaced: bool, scale: Scale | None = None) -> None:
        self.schema, self.scale = schema, scale
        self.status, self.namespaced = status, namespaced
        self.rules = validations.Rules(schema) if validations.has_rules(schema) else None

    def default(self, obj: Json) -> None:
        structural.default(obj, self.schema)

    def spec_of(self, obj: Json) -> Any:
        left_out = {"metadata", "apiVersion", "kind", "status"} if self.status else {"metadata", "apiVersion", "kind"}
        return {key: value for key, value in obj.items() if key not in left_out}

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        if self.status:
            keep(obj, old, "status")
        carry_generation(obj, old, changed=self.spec_of(obj) != self.spec_of(old))

    def prepare_status_update(self, obj: Json, old: Json, ctx: Context) -> None:
        """Only the status passes, and of the metadata `managedFields`."""
        meta = {**old["metadata"], **{k: v for k, v in obj["metadata"].items() if k == "managedFields"}}
        status = obj.get("status")
        obj.clear()
        obj.update({**old, "metadata": meta})
        obj.pop("status", None)
        if status is not None:
            obj["status"] = status

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        return finalizer_warnings(obj["metadata"], old["metadata"] if old else None)

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        return validate_meta(obj["metadata"], self.namespaced, standard_finalizers=False) + self._check(
            obj, values.MISSING
        )

    def validate_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return validate_meta_update(obj["metadata"], old["metadata"], standard_finalizers=False) + self._check(obj, old)

    def validate_status_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return self.validate_update(obj, old, ctx)

    def _check(self, obj: Json, old: Any) -> list[FieldError]:
        found = values.validate(obj, self.schema, "", old)
        found += self._check_scale(obj)
        if self.rules is None:
            return found
        if any(error.reason in _BLOCKING for error in found):
            return [*found, invalid("<nil>", "", _UNCHECKED)]
        return found + self.rules.check(obj, old)

    def _check_scale(self, obj: Json) -> Iterator[FieldError]:
        """What `/scale` shows are numbers, and a selector in text."""
        if self.scale is None:
            return
        for path in (self.scale.replicas, self.scale.status_replicas):
            value = fetch(obj, path)
            if value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool):
                yield invalid(f".{path}", 0, "it must be an integer")
            elif value < 0:
                yield invalid(f".{path}", value, "should be a non-negative integer")
            elif value > _MOST_REPLICAS:
                yield invalid(f".{path}", value, f"should be less than or equal to {_MOST_REPLICAS}")
        if self.scale.selector and not isinstance(fetch(obj, self.scale.selector) or "", str):
            yield invalid(f".{self.scale.selector}", "", "it must be a string")
