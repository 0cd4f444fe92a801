"""What all requests of one API server process share; everything lasting is in the store."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from apiserver.resourcemetrics.scraper import Scraper
from cluster import registry
from cluster.authz import Authorizer
from cluster.cache import Cache
from cluster.registry import Registry, Settings
from cluster.store import Store
from cluster.users import User
from cluster.verbs import Session

if TYPE_CHECKING:
    from apiserver.authn.authenticator import Authenticator
    from apiserver.watchers import Hub
    from cluster.admission.chain import Chain


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
    port: int = 6443
    started: float = field(default_factory=time.time)
    stopping: bool = False
    scraper: Scraper = field(default_factory=Scraper)

    @property
    def registry(self) -> Registry:
        return registry.of_cluster(self.cluster)

    @property
    def pki(self) -> Path:
        return self.var / "pki"

    def session(self, user: User) -> Session:
        """The verbs, for one user."""
        return Session(self.cluster, user, self.cache, self.store, settings=self.settings, chain=self.chain)


def settings_from_environment() -> Settings:
    """The settings that the supervisor passes to every process."""
    default = Settings()
    return Settings(
        service_cidr=os.environ.get("BINNACLE_SERVICE_CIDR", default.service_cidr),
        pod_cidr=os.environ.get("BINNACLE_POD_CIDR", default.pod_cidr),
    )


def open_state(
    var: Path, *, port: int = 6443, cluster: int = 1, enabled: tuple[str, ...] = (), disabled: tuple[str, ...] = ()
) -> State:
    """Open the store of `var` and everything on top of it. Raises ValueError for an unknown admission plugin."""
    from apiserver.authn.authenticator import Authenticator
    from apiserver.watchers import Hub
    from cluster.admission.chain import default_chain

    chain = default_chain(enabled, disabled)
    store = Store.of(cluster)
    cache = Cache(store)
    cache.start()
    return State(
        cluster,
        var,
        store,
        cache,
        settings_from_environment(),
        chain,
        Authorizer.of(cache),
        Authenticator(var / "pki", cache),
        Hub(cache),
        port,
    )
