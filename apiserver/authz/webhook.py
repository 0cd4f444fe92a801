"""An authorizer that is asked over HTTPS: a SubjectAccessReview goes out, its status comes back and is kept for a while."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

import orjson

from apiserver.authz.configuration import VARIABLES, Authorizer
from client import kubeconfig
from cluster.rbac import Attributes
from kube import cel
from kube.cel.expressions import compiled
from kube.cron import duration
from kube.objects import Json
from kube.users import User
from web.client import HttpSession

log = logging.getLogger(__name__)

REMEMBERED, MAX_ANSWER = 8_192, 1 << 20  # answers, bytes of one
MAX_KEY = 10_000  # bytes of a question whose answer is remembered


@dataclass(frozen=True, slots=True)
class Verdict:
    """`denied` ends the asking; neither allowed nor denied: no opinion."""

    allowed: bool = False
    denied: bool = False
    reason: str = ""


NO_OPINION = Verdict()


class Webhook:
    """One webhook. Raises KubeconfigError."""

    def __init__(self, config: Authorizer) -> None:
        assert config.webhook is not None
        self.name, self.config = config.name, config.webhook
        file = self.config.connectionInfo.kubeConfigFile
        where = kubeconfig.load(file) if file else kubeconfig.in_cluster()
        self._session = HttpSession(
            where.server,
            lambda: {"Authorization": f"Bearer {token}"} if (token := where.bearer()) else {},
            where.ssl_context(),
            timeout=duration(self.config.timeout),
            server_name=where.server_name,
            limit=MAX_ANSWER,
            again=True,
        )
        self._memo: dict[bytes, tuple[Verdict, float]] = {}

    async def decide(self, user: User, want: Attributes, version: str) -> Verdict:
        spec = question(user, want, version)
        if (unasked := self._unasked(spec)) is not None:
            return unasked
        key = orjson.dumps(spec)
        verdict, until = self._memo.get(key, (NO_OPINION, 0.0))
        if time.monotonic() < until:
            return verdict
        try:
            verdict = await self._ask(spec)
        except (OSError, ValueError) as error:
            return self._failed(f"webhook authorizer {self.name}: {error or type(error).__name__}")
        self._remember(key, verdict)
        return verdict

    def close(self) -> None:
        self._session.close()

    def _unasked(self, spec: Json) -> Verdict | None:
        """The verdict without a question, where a match condition does not hold, or has no value."""
        failed = ""
        for condition in self.config.matchConditions:
            try:
                if compiled(condition.expression, VARIABLES).value({"request": spec}) is not True:
                    return NO_OPINION
            except (cel.CompileError, cel.EvaluationError) as error:
                failed = f"match condition '{condition.expression}': {error}"
        return self._failed(failed) if failed else None

    def _failed(self, why: str) -> Verdict:
        log.error("%s", why)
        return Verdict(denied=self.config.failurePolicy == "Deny", reason=why)

    async def _ask(self, spec: Json) -> Verdict:
        version = self.config.subjectAccessReviewVersion
        if version == "v1beta1":  # which had another name for groups
            spec = {("group" if name == "groups" else name): value for name, value in spec.items()}
        review = {"apiVersion": f"authorization.k8s.io/{version}", "kind": "SubjectAccessReview", "spec": spec}
        path = "" if self._session.address.prefix else "/"
        sent = {"Content-Type": "application/json", "Accept": "application/json"}
        answer = await self._session.request("POST", path, orjson.dumps(review), sent)
        if answer.status not in (200, 201):
            raise ValueError(f"the answer is {answer.status}")
        return _read(orjson.loads(answer.body))

    def _remember(self, key: bytes, verdict: Verdict) -> None:
        config = self.config
        kept = config.cacheAuthorizedRequests if verdict.allowed else config.cacheUnauthorizedRequests
        if not kept or len(key) > MAX_KEY:
            return
        if len(self._memo) >= REMEMBERED:
            self._memo.clear()
        life = duration(config.authorizedTTL if verdict.allowed else config.unauthorizedTTL)
        self._memo[key] = (verdict, time.monotonic() + life)


def _read(answer: Any) -> Verdict:
    status = answer.get("status") if isinstance(answer, dict) else None
    if not isinstance(status, dict):
        raise ValueError("the answer has no status")
    allowed, denied = status.get("allowed") is True, status.get("denied") is True
    if allowed and denied:
        raise ValueError("the answer says both allowed and denied")
    return Verdict(allowed, denied, str(status.get("reason") or ""))


def question(user: User, want: Attributes, version: str) -> Json:
    """The `spec` of a SubjectAccessReview."""
    spec: Json = {"user": user.name, "groups": list(user.groups)}
    if user.uid:
        spec["uid"] = user.uid
    if user.extra:
        spec["extra"] = dict(user.extra)
    if want.path:
        spec["nonResourceAttributes"] = {"path": want.path, "verb": want.verb}
        return spec
    asked = {
        "namespace": want.namespace,
        "verb": want.verb,
        "group": want.group,
        "version": version,
        "resource": want.resource,
        "subresource": want.subresource,
        "name": want.name,
    }
    spec["resourceAttributes"] = {name: value for name, value in asked.items() if value}
    return spec
