"""The behaviour of custom kinds, from their schema."""

from __future__ import annotations

from typing import Any

from kube.crd import structural, validations, values
from kube.errors import FieldError, invalid
from kube.objectmeta import validate_meta, validate_meta_update
from kube.objects import Json
from kube.registry import Context, Strategy, carry_generation, keep

_BLOCKING = {"FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"}
_UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to "
    "complete validation"
)


class CustomStrategy(Strategy):
    """`status`: whether the version has the status subresource; without it, status is data like any other."""

    generation = True
    unconditional_update = False

    def __init__(self, schema: Json, status: bool, namespaced: bool) -> None:
        self.schema = schema
        self.status, self.namespaced = status, namespaced
        self.rules = validations.has_rules(schema)

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

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        return validate_meta(obj["metadata"], self.namespaced) + self._check(obj, values.MISSING)

    def validate_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return validate_meta_update(obj["metadata"], old["metadata"]) + self._check(obj, old)

    def validate_status_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return self.validate_update(obj, old, ctx)

    def _check(self, obj: Json, old: Any) -> list[FieldError]:
        found = values.validate(_body(obj), self.schema, "", values.MISSING if old is values.MISSING else _body(old))
        if not self.rules:
            return found
        if any(error.reason in _BLOCKING for error in found):
            return [*found, invalid("<nil>", "", _UNCHECKED)]
        return found + validations.check(obj, self.schema, old)


def _body(obj: Json) -> Json:
    """The object without its metadata, which has rules of its own."""
    return {key: value for key, value in obj.items() if key not in ("metadata", "apiVersion", "kind")}
