"""The process around the application: sockets, TLS, uvicorn."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import socket
import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvicorn

from apiserver import auditing, bootstrap, openid
from apiserver.aggregation.checks import Checks
from apiserver.app import App
from apiserver.authn import logins, serviceaccounts
from apiserver.ownservice import OwnService
from apiserver.protocol import Protocol, problem
from apiserver.request import MAX_BODY
from apiserver.state import State, open_state
from cluster import memory
from cluster.admission.chain import default_chain
from cluster.audit.events import AuditLog
from cluster.audit.policy import load
from cluster.audit.writer import Rotated, Writer
from cluster.customkinds import Follower
from kube.users import APISERVER
from web import asgi
from web.door import bound
from web.http1 import host_header
from web.limits import configured

log = logging.getLogger(__name__)

HANGS = 40.0  # seconds


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What is written where (`-`: standard output), and how long it is kept: see `cluster.audit`."""

    policy: Path | None = None
    path: str = ""
    max_size: float = 0  # MiB
    max_age: float = 0  # days
    max_backups: int = 0

    def open(self) -> AuditLog | None:
        """The log; None where nothing is asked for. Raises ValueError, OSError."""
        if self.policy is None or not self.path:
            if self.path:
                raise ValueError("--audit-log-path needs --audit-policy-file, which says what is written")
            return None
        policy = load(self.policy)
        file = None if self.path == "-" else Rotated(Path(self.path), self.max_size, self.max_age, self.max_backups)
        return AuditLog(policy, Writer(file), auditing.decode)


@dataclass(frozen=True, slots=True)
class Options:
    """Where and how to serve. `insecure`: plain HTTP, on loopback only; `admission`: the plugins' configuration."""

    var: Path
    port: int = 6443
    addresses: tuple[str, ...] = ("127.0.0.1",)
    insecure: bool = False
    enabled: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    admission: Path | None = None
    audit: AuditOptions = AuditOptions()
    accounts: serviceaccounts.Settings = field(default_factory=serviceaccounts.Settings)
    logins: logins.Options = field(default_factory=logins.Options)
    authorization: Path | None = None


class Server(asgi.Server):
    """Ends the watches before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config, configured(body_bytes=MAX_BODY), problem)
        self.state = state
        self._alive: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.state.hub.start()
        self._alive = asyncio.create_task(say_alive(HANGS))
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.state.stopping = True
        self.state.hub.stop()
        await super().shutdown(sockets)
        self.state.cache.close()
        if self._alive is not None:
            self._alive.cancel()


async def say_alive(seconds: float) -> None:
    """An event loop that does not turn for so long ends the process; where every thread stood is written to stderr.

    Its supervisor starts it again: whoever asks is told something, and nothing is lost.
    """
    try:
        while True:
            faulthandler.dump_traceback_later(seconds, exit=True)
            await asyncio.sleep(1.0)
    finally:
        faulthandler.cancel_dump_traceback_later()


def tls_context(pki: Path) -> ssl.SSLContext:
    """TLS with the server's certificate; clients may present one of the same authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    context.load_verify_locations(pki / "ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context


def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError for an address that is taken, ValueError for options that are wrong."""
    memory.give_back()
    if options.insecure and any(not a.startswith("127.") and a != "::1" for a in options.addresses):
        raise ValueError("--insecure-http is for loopback addresses only")
    chain = default_chain(options.enabled, options.disabled, options.admission)
    # The node's address appears only when the kubelet makes its bridge, after this server answers.
    sockets = [bound(address, options.port, early=True) for address in options.addresses]
    audit = options.audit.open()
    known = logins.Logins(options.logins, options.accounts.issuers)
    here = f"https://{host_header(options.addresses[-1], options.port)}{openid.KEYS}"
    accounts = replace(options.accounts, jwks_uri=options.accounts.jwks_uri or here)
    state = open_state(
        options.var, chain, port=options.port, accounts=accounts, logins=known, authorization=options.authorization
    )
    if accounts.key_files:
        _ = state.authenticator.signer.verifying  # what is wrong with them is to be known now
    state.audit = audit
    bootstrap.ensure(state, options.addresses[-1], options.port)
    Follower(state.registry, state.cache, state.session(APISERVER), replaced=state.hub.end).start()
    Checks(state).start()
    OwnService(state, options.addresses[-1], options.port).start()
    config = uvicorn.Config(
        App(state),
        http=Protocol,
        ws="none",
        lifespan="off",
        loop="uvloop",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    config.load()
    config.ssl = None if options.insecure else tls_context(state.pki)
    server = Server(config, state)
    memory.settle()
    try:
        server.run(sockets)
    finally:
        if audit is not None:
            audit.writer.close()
