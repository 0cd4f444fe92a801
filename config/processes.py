"""What `make up` starts, and the configuration of its supervisor (supervisord) that is made from it.

| process | what it is |
| --- | --- |
| redis | work queues, hints, channel layer; holds nothing that the store does not know |
| apiserver | the Kubernetes API |
| controllers, scheduler | Celery workers, one each |
| kubelet | this machine's node agent: runs the pods, the dashboard among them |
| kubeproxy | cluster IPs and node ports |
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import environment
from addons.catalogue import dns_port
from client import keyvalue
from client.ports import beside
from cluster.audit import installation as audit
from config import redis
from config.installation import Installation
from controllers.manifest import SERVICES

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Process:
    """One supervised process. `stop` is how long it gets to end after SIGTERM, seconds."""

    name: str
    command: tuple[str, ...]
    stop: int = 5
    stop_signal: str = "TERM"


def worker_options(role: str) -> tuple[str, ...]:
    """Options of Celery's worker: what workers tell each other unasked is of no use here, and keeps them awake."""
    alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return ("-Q", role, "-n", f"{role}@%h", "-l", "INFO", *alone)


def processes(at: Installation) -> list[Process]:
    """The processes of an installation, in the order in which they are started; without those in BINNACLE_WITHOUT."""
    known, without = _known(at), environment.WITHOUT.get()
    names = [process.name for process in known]
    if unknown := set(without) - set(names):
        raise ValueError(
            f"BINNACLE_WITHOUT: there is no process {sorted(unknown)[0]!r}: choose from {', '.join(names)}"
        )
    return [process for process in known if process.name not in without]


def _known(at: Installation) -> list[Process]:
    python = sys.executable
    apiserver = {
        "address": "127.0.0.1" if at.node_address == "127.0.0.1" else f"127.0.0.1,{at.node_address}",
        "port": str(at.api_port),
        "enable-admission-plugins": "NodeRestriction",  # as installers of Kubernetes have it
        "audit-policy-file": str(audit.policy_path(at.path)),
        "audit-log-path": str(audit.log_path(at.path)),
        "audit-log-maxsize": str(audit.MAX_SIZE),
        "audit-log-maxage": str(audit.MAX_AGE),
        "audit-log-maxbackup": str(audit.MAX_BACKUPS),
    }
    node = {
        "node-name": at.node,
        "pod-cidr": at.node_pod_cidr,
        "service-cidr": at.service_cidr,
        "tls-cert": f"{at.path}/pki/kubelet.crt",
        "tls-key": f"{at.path}/pki/kubelet.key",
    }
    kubelet = node | {
        "kubeconfig": f"{at.path}/kubelet/kubeconfig",
        "root-dir": f"{at.path}/kubelet",
        "address": at.node_address,
        "port": str(at.kubelet_port),
        "client-ca": f"{at.path}/pki/ca.crt",
        # A resolv.conf cannot name a port: where DNS has no port 53, pods use the machine's servers.
        **({"cluster-dns": at.dns_address} if dns_port() == 53 else {}),
    }
    kubeproxy = node | {
        "kubeconfig": f"{at.path}/kubeproxy/kubeconfig",
        "mode": "auto",
        "pod-cidr": at.pod_cidr,
        "state-dir": f"{at.path}/kubeproxy",
        "metrics-port": str(beside(at.api_port, "kubeproxy")),
        "metrics-address": at.node_address,
    }
    return [
        Process("redis", (str(keyvalue.server()), str(redis.config_file(at.path)))),
        Process("apiserver", (python, "-m", "apiserver", *_options(apiserver))),
        *(Process(role, (python, "-m", "config.worker", *worker_options(role)), stop=8) for role in SERVICES),
        Process("kubelet", (python, "-m", "kubelet", *_options(kubelet)), stop=8),
        Process("kubeproxy", (python, "-m", "kubeproxy", *_options(kubeproxy))),
    ]


def _options(values: dict[str, str]) -> list[str]:
    return [word for name, value in values.items() for word in (f"--{name}", value)]


def supervisor_config(at: Installation) -> str:
    """The text of supervisord's configuration file."""
    run, logs = at.path / "run", at.path / "log"
    variables = {
        **at.environment(),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        # Threads of an arena each would hold memory that nothing uses.
        "MALLOC_ARENA_MAX": "2",
        "OPENBLAS_NUM_THREADS": "1",
    }
    if environment.DATABASE_URL.given:
        variables["DATABASE_URL"] = environment.DATABASE_URL.get()
    pairs = ",".join(f'{name}="{_escape(value)}"' for name, value in variables.items())
    parts = [
        f"[supervisord]\nnodaemon=true\nlogfile={logs}/supervisord.log\nlogfile_maxbytes=5MB\nlogfile_backups=2\n"
        f"pidfile={run}/supervisord.pid\nchildlogdir={logs}\ndirectory={ROOT}\nenvironment={pairs}\nminfds=4096\n",
        f"[unix_http_server]\nfile={run}/supervisor.sock\nchmod=0700\n",
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
        f"[supervisorctl]\nserverurl=unix://{run}/supervisor.sock\n",
    ]
    parts += [_program(process, order, logs) for order, process in enumerate(processes(at))]
    return "\n".join(parts)


def _program(process: Process, order: int, logs: Path) -> str:
    command = _escape(" ".join(w if w.replace("-", "").isalnum() else f'"{w}"' for w in process.command))
    return (
        f"[program:{process.name}]\ncommand={command}\npriority={order}\nautorestart=true\nstartsecs=1\n"
        # Never give up: what stops a process (a full disk, Redis away) may pass.
        "startretries=1000000\n"
        f"stopwaitsecs={process.stop}\nstopsignal={process.stop_signal}\nstopasgroup=false\nkillasgroup=false\n"
        f"stdout_logfile={logs}/{process.name}.log\nredirect_stderr=true\nstdout_logfile_maxbytes=10MB\n"
        "stdout_logfile_backups=3\n"
    )


def _escape(text: str) -> str:
    return text.replace("%", "%%")
