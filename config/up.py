"""`make up`: prepare the state folder, start the supervisor, wait until the cluster is usable, tell where everything is."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import environment
from addons.catalogue import NAMESPACE, catalogue
from addons.state import STATE
from cluster.admission.chain import default_chain
from config import installation, kubectl, orphans, preflight
from config.bootstrap import kubeconfig_path, prepare
from config.down import down
from config.installation import Installation
from config.preflight import Refused
from config.processes import ROOT
from kube import clock, conditions
from kube.objects import Json
from web import blocking

READY_TIMEOUT = 150.0  # seconds from the start of the processes until the cluster is usable


def up(var: Path, *, detach: bool) -> int:
    """Start the cluster; in the foreground until SIGINT or SIGTERM unless `detach`."""
    port, api_port = environment.MAKE_PORT.get(), environment.MAKE_API_PORT.get()
    environment.check()
    default_chain()  # a bad admission configuration is told here, not by three processes that do not start
    preflight.check_folder(var)
    with one_at_a_time(var):
        if preflight.running(var):
            at = Installation(**json.loads((var / "config.json").read_text()))
            print("Binnacle is already running.")
            announce(at, login_token(at))
            return 0
        stop = start(var, port, api_port)
    if detach:
        return 0
    print("Press Ctrl-C to stop.", flush=True)
    return stop.wait()


@contextmanager
def one_at_a_time(var: Path) -> Iterator[None]:
    """Two that start the same cluster would end each other's processes: the second waits for the first."""
    with open(var / "run" / "up.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Note: this cluster is being started already; waiting for that.", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def start(var: Path, port: int, api_port: int) -> Stop:
    """Bring the cluster up, and tell where it is. Raises Refused."""
    if left := orphans.end(var):
        print(f"Note: the supervisor had died; {left} processes that it left were ended.")
    at = installation.load(var, port, api_port)
    try:
        check_ports(at)
    except Refused:
        # Perhaps it is a pod of ours (the dashboard) that outlived its supervisor: then it is there no more.
        down(var, quiet=True)
        check_ports(at)
    for sentence in [*environment.unknown(), *preflight.limits(), *filter(None, [kubectl.note()])]:
        print(f"Note: {sentence}{'' if sentence.endswith('?') else '.'}")
    prepare(at)
    return supervise(at)


def check_ports(at: Installation) -> None:
    """Nobody listens where the cluster will."""
    for number, name, what in (
        (at.port, "PORT", "dashboard"),
        (at.api_port, "API_PORT", "Kubernetes API"),
        (at.kubelet_port, "API_PORT", f"kubelet, API_PORT{at.kubelet_port - at.api_port:+d}"),
    ):
        preflight.check_port(number, name, what)


def supervise(at: Installation) -> Stop:
    """Run supervisord, and wait until the cluster is usable."""
    with open(at.path / "log" / "supervisord.out", "ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(at.path / "supervisord.conf")],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    stop = Stop(at, child)
    token = login_token(at)  # made while the processes start
    try:
        wait_ready(at, child)
    except Refused:
        stop.now()
        raise
    announce(at, token)
    return stop


class Stop:
    """Ends the cluster when this process is told to end, or the supervisor ends by itself."""

    def __init__(self, at: Installation, child: subprocess.Popen[bytes]) -> None:
        self.at, self.child = at, child
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: object) -> None:
        print("\nStopping …", flush=True)
        self.now()
        sys.exit(0)

    def now(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        down(self.at.path, quiet=True)

    def wait(self) -> int:
        code = self.child.wait()
        print(
            f"binnacle: the supervisor ended with status {code}; see {self.at.path}/log/supervisord.log",
            file=sys.stderr,
        )
        return code or 1


def wait_ready(at: Installation, child: subprocess.Popen[bytes]) -> None:
    """Return when this machine's node is Ready, a pod can be created, and each addon can be configured.

    Raises Refused when that takes too long, or the supervisor ends.
    """
    started, deadline = time.time(), time.monotonic() + READY_TIMEOUT
    token = installation.admin_token(at.path)
    state, nudged = "the API does not answer", False
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise Refused(f"the supervisor ended with status {child.returncode}; see {at.path}/log/supervisord.out")
        state = api_state(at, token) if without("kubelet") else node_state(at, token, since=started)
        if not state and not without("controllers"):
            state = account_state(at, token) or addons_state(at, token)
        if not state:
            return
        nudged = nudged or nudge(at)
        time.sleep(0.1 if nudged else 0.02)
    raise Refused(f"not ready after {READY_TIMEOUT:.0f} s: {state}; see the logs in {at.path}/log")


def nudge(at: Installation) -> bool:
    """Connect to the supervisor: it starts its processes at the first event, else after a second of waiting for one."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(at.path / "run" / "supervisor.sock"))
        except OSError:  # it does not listen yet
            return False
    return True


def node_state(at: Installation, token: str, since: float) -> str:
    """Empty when the node is Ready and its kubelet was heard of after `since` (epoch seconds), else what is missing."""
    try:
        node = _get(at, token, f"/api/v1/nodes/{at.node}")
        lease = _get(at, token, f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{at.node}")
    except Answered as error:
        return f"the node {at.node} is not registered ({error.status})"
    except (OSError, ValueError) as error:
        return f"the API does not answer ({error})"
    ready = conditions.find(node.get("status"), "Ready") or {}
    if ready.get("status") != "True":
        return f"the node {at.node} is not Ready: {ready.get('message', 'no condition yet')}"
    # The condition may be of an earlier run: the lease tells whether the kubelet lives.
    if clock.parse(lease["spec"]["renewTime"]) < since:
        return f"the kubelet of {at.node} has not been heard of since {lease['spec']['renewTime']}"
    return ""


def account_state(at: Installation, token: str) -> str:
    """Empty when a first pod can be created: its namespace has the account that the controllers make."""
    try:
        _get(at, token, "/api/v1/namespaces/default/serviceaccounts/default")
    except OSError as error:
        return f"the controllers have not made the service account default yet ({error})"
    return ""


def addons_state(at: Installation, token: str) -> str:
    """Empty when the addon manager has been through all addons: each has its ConfigMap, with what the manager says."""
    try:
        found = _get(at, token, f"/api/v1/namespaces/{NAMESPACE}/configmaps")["items"]
    except OSError as error:
        return f"the API does not answer ({error})"
    seen = {config["metadata"]["name"] for config in found if STATE in (config["metadata"].get("annotations") or {})}
    missing = [name for name, addon in catalogue().items() if addon.config_name not in seen]
    return f"the addon manager has not come to {', '.join(missing)} yet" if missing else ""


def without(process: str) -> bool:
    """Whether this start leaves a process out: then there is nothing to wait for that it would do."""
    return process in environment.WITHOUT.get()


def api_state(at: Installation, token: str) -> str:
    """Empty when the API answers, else why not."""
    try:
        _get(at, token, "/api/v1/namespaces/default")
    except OSError as error:
        return f"the API does not answer ({error})"
    return ""


class Answered(OSError):
    """The API answers with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"it answers {status}")
        self.status = status


def _get(at: Installation, token: str, path: str) -> Json:
    answer = blocking.request(
        f"https://127.0.0.1:{at.api_port}{path}",
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
        tls=ssl.create_default_context(cafile=str(at.path / "pki" / "ca.crt")),
        timeout=2,
    )
    if answer.status >= 400:
        raise Answered(answer.status)
    found: Json = json.loads(answer.body)
    return found


def login_token(at: Installation) -> subprocess.Popen[str]:
    """A process that makes a login token and prints it."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "login_token", "--skip-checks"],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **at.environment()},
    )


def announce(at: Installation, making: subprocess.Popen[str]) -> None:
    """Print the addresses, the login token that is being made, and the kubeconfig's path."""
    made, error = making.communicate()
    token = made.strip() or f"none could be made: {error.strip().splitlines()[-1:]}"
    print(
        f"""
  Dashboard    http://127.0.0.1:{at.port}/
  Login token  {token}   (once, within 15 minutes; `make token` gives another)
  Kubernetes   https://127.0.0.1:{at.api_port}
  kubectl      export KUBECONFIG={shlex.quote(str(kubeconfig_path(at.path)))}
""",
        flush=True,
    )
