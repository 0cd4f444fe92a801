"""What all requests of one API server process share; everything lasting is in the store."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from apiserver.authn import serviceaccounts
from apiserver.authn.authenticator import Authenticator
from apiserver.authn.logins import Logins
from apiserver.authz.chain import Authorizers
from apiserver.fairness.control import Fairness
from apiserver.remotes import Remotes
from apiserver.resourcemetrics.scraper import Scraper
from apiserver.watchers import Hub
from cluster.admission.chain import Chain
from cluster.audit.events import AuditLog
from cluster.authz import Authorizer
from cluster.cache import Cache
from cluster.settings import from_environment
from cluster.store import Store
from cluster.verbs import Session
from kube import registry
from kube.registry import Registry, Settings
from kube.users import User


@dataclass(slots=True)
class State:
    """One cluster as this process serves it. `var` is the state folder, with `pki/` in it."""

    cluster: int
    var: Path
    store: Store
    cache: Cache
    settings: Settings
    chain: Chain
    authorizer: Authorizer
    authenticator: Authenticator
    hub: Hub
    authorizers: Authorizers
    port: int = 6443
    started: float = field(default_factory=time.time)
    stopping: bool = False
    scraper: Scraper = field(default_factory=Scraper)
    audit: AuditLog | None = None
    fairness: Fairness = field(init=False)
    remotes: Remotes = field(init=False)

    def __post_init__(self) -> None:
        self.fairness = Fairness(self)
        self.remotes = Remotes(self.cache)

    @property
    def registry(self) -> Registry:
        return registry.of_cluster(self.cluster)

    @property
    def pki(self) -> Path:
        return self.var / "pki"

    def session(self, user: User) -> Session:
        """The verbs, for one user."""
        return Session(self.cluster, user, self.cache, self.store, settings=self.settings, chain=self.chain)


def open_state(
    var: Path,
    chain: Chain,
    *,
    port: int = 6443,
    cluster: int = 1,
    accounts: serviceaccounts.Settings | None = None,
    logins: Logins | None = None,
    authorization: Path | None = None,
) -> State:
    """Open the store of `var` and everything on top of it."""
    store = Store.of(cluster)
    cache = Cache(store)
    authorizers = Authorizers(Authorizer.of(cache), authorization)
    cache.start()
    return State(
        cluster,
        var,
        store,
        cache,
        from_environment(),
        chain,
        Authorizer.of(cache),
        Authenticator(var / "pki", cache, accounts, logins),
        Hub(cache),
        authorizers,
        port,
    )
