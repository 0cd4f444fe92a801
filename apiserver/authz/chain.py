"""The authorizers of this server in their order: without a file, Node and RBAC."""

from __future__ import annotations

import logging
from pathlib import Path

from apiserver.authz.configuration import WEBHOOK, AuthorizationConfiguration, load
from apiserver.authz.webhook import Verdict, Webhook
from cluster import nodeauthz
from cluster.authz import Authorizer
from cluster.configfile import Stamp
from cluster.rbac import ALLOWED, Attributes, Decision
from kube.users import User

log = logging.getLogger(__name__)


class Authorizers:
    """`file`: an AuthorizationConfiguration, read again when it changes. Raises ValueError for one that is wrong."""

    def __init__(self, builtin: Authorizer, file: Path | None = None) -> None:
        self._builtin, self._file = builtin, file
        self._steps: list[str | Webhook] = []
        if file is not None:
            self._stamp = Stamp(file)
            self._stamp.changed()
            self._use(load(file))

    @property
    def complete(self) -> bool:
        """Whether roles say all that somebody may."""
        return not any(isinstance(step, Webhook) for step in self._steps)

    async def decide(self, user: User, want: Attributes, version: str = "") -> Decision:
        """Whether `user` may do what `want` says; `version`: of the API, which webhooks are told."""
        if self._file is None:
            return self._builtin.decide(user, want)
        if user.is_master:
            return ALLOWED
        self._look()
        reasons = []
        for step in self._steps:
            if isinstance(step, Webhook):
                verdict = await step.decide(user, want, version)
            else:
                verdict = self._own(step, user, want)
            if verdict.allowed or verdict.denied:
                return Decision(verdict.allowed, verdict.reason, verdict.denied)
            reasons.append(verdict.reason)
        return Decision(False, ", ".join(filter(None, reasons)))

    def _own(self, kind: str, user: User, want: Attributes) -> Verdict:
        if kind == "Node":
            node = nodeauthz.decide(self._builtin.cache, user, want)
            return Verdict() if node is None else Verdict(node.allowed, reason=node.reason)
        if kind == "RBAC":
            found = self._builtin.by_roles(user, want)
            return Verdict(found.allowed, reason=found.reason)
        return Verdict(allowed=kind == "AlwaysAllow", denied=kind == "AlwaysDeny")

    def _look(self) -> None:
        if self._file is None or not self._stamp.changed():
            return
        try:
            self._use(load(self._file))
        except ValueError as error:
            log.error("the configuration of authorisation stays as it was: %s", error)
        else:
            log.info("the configuration of authorisation is read again: %s", self._file)

    def _use(self, found: AuthorizationConfiguration) -> None:
        made = [Webhook(each) if each.type == WEBHOOK else each.type for each in found.authorizers]
        for step in self._steps:
            if isinstance(step, Webhook):
                step.close()
        self._steps = made
