"""One configured webhook, and whether it is to be asked about a write."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from cluster.admission.policies.expressions import Evaluation, Failed, concerned
from cluster.admission.policies.matching import GROUP, matched
from cluster.admission.request import Request
from kube.errors import ApiError, InternalError
from kube.objects import Json
from kube.registry import Kind

log = logging.getLogger(__name__)

MUTATING, VALIDATING = f"mutatingwebhookconfigurations.{GROUP}", f"validatingwebhookconfigurations.{GROUP}"


@dataclass(frozen=True, slots=True)
class Hook:
    """`config`: the entry of a configuration's `webhooks`; must not be changed."""

    config: Json

    @property
    def name(self) -> str:
        return str(self.config["name"])

    @property
    def may_fail(self) -> bool:
        """Whether its failures are ignored."""
        return self.config.get("failurePolicy") == "Ignore"

    def concerns(self, request: Request) -> Kind | None:
        """The kind, in the version in which the webhook sees the object; None when it is not asked.

        Raises ApiError where that cannot be told and the webhook's failures count.
        """
        rules, conditions = self.config.get("rules"), self.config.get("matchConditions")
        kind = matched({**self.config, "resourceRules": rules}, request) if rules else None
        if kind is None or not conditions:
            return kind
        try:
            return kind if concerned(Evaluation(request, kind), conditions) else None
        except Failed as error:
            self.failed(str(error))
            return None

    def failed(self, why: str) -> None:
        """The webhook could not be asked: raises InternalError, unless it says that its failures are ignored."""
        text = f'failed calling webhook "{self.name}": {why}'
        if self.may_fail:
            log.warning("%s; ignored", text)
            return
        raise InternalError(f"Internal error occurred: {text}", details={"causes": [{"message": text}]})

    def denied(self, status: Json) -> ApiError:
        """The error for a write that the webhook does not allow; `status` is the Status that it sent, if any."""
        said, reason = status.get("message"), status.get("reason") or ""
        why = f": {said or reason}" if said or reason else " without explanation"
        return ApiError(
            f'admission webhook "{self.name}" denied the request{why}',
            reason=reason,
            code=max(int(status.get("code") or 0), 400),
            details=status.get("details"),
        )


def hooks(request: Request, storage: str) -> Iterator[Hook]:
    """All webhooks of a sort, in the order of their configurations' names. What configures admission is free of them."""
    if not request.cache.count(storage) or request.kind.group == GROUP:
        return
    for entry in request.cache.list(storage):
        for config in entry.shared().get("webhooks") or ():
            yield Hook(config)
