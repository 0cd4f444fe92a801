"""The facts of one installation that are decided once, at its first start, and kept in `config.json`.

Several clusters may run side by side on a machine: each takes a slot of its own, which gives it its own address ranges.
With root, pods have addresses of a private range on a bridge. Without, the ranges lie in 127.0.0.0/8, all of which is
local on Linux: any process may listen there, so pods and services still have addresses of their own.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import environment
from client.ports import beside

SLOTS = 24
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Installation:
    """Where one cluster lives. Ports are TCP; `node` is the name of this machine's node, `database` what keeps
    its state: sqlite or postgresql (never its URL, which may hold a password)."""

    var: str
    port: int
    api_port: int
    kubelet_port: int
    slot: int
    node: str
    privileged: bool
    database: str = "sqlite"

    @property
    def service_cidr(self) -> str:
        return f"{10 if self.privileged else 127}.{96 + self.slot}.0.0/16"

    @property
    def pod_cidr(self) -> str:
        return f"{10 if self.privileged else 127}.{244 - self.slot}.0.0/16"

    @property
    def node_pod_cidr(self) -> str:
        """The part of the pod range that this machine's node hands out."""
        return str(next(ipaddress.ip_network(self.pod_cidr).subnets(new_prefix=24)))

    @property
    def node_address(self) -> str:
        """Where pods reach this machine: the bridge's address with root, else the loopback address."""
        return str(ipaddress.ip_network(self.node_pod_cidr)[1]) if self.privileged else "127.0.0.1"

    @property
    def service_address(self) -> str:
        """The address of the service `kubernetes`: the first of the range."""
        return str(ipaddress.ip_network(self.service_cidr)[1])

    @property
    def dns_address(self) -> str:
        return str(ipaddress.ip_network(self.service_cidr)[10])

    @property
    def path(self) -> Path:
        return Path(self.var)

    def environment(self) -> dict[str, str]:
        """The variables that every process of this installation gets."""
        return {
            "BINNACLE_VAR": self.var,
            "BINNACLE_PORT": str(self.port),
            "BINNACLE_API_PORT": str(self.api_port),
            "BINNACLE_REDIS": f"unix://{self.var}/run/redis.sock",
            "BINNACLE_SERVICE_CIDR": self.service_cidr,
            "BINNACLE_POD_CIDR": self.pod_cidr,
            "BINNACLE_NODE_ADDRESS": self.node_address,
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }


def kept_environment(var: Path) -> dict[str, str]:
    """The variables of the installation in `var`, as it last ran; empty before its first start."""
    try:
        kept = json.loads((var / "config.json").read_text())
    except FileNotFoundError:
        return {}
    return Installation(**kept).environment()


def admin_token(var: Path) -> str:
    """The administrator's static token, from the state folder."""
    lines = (var / "pki" / "tokens.csv").read_text().splitlines()
    return next(line.split(",")[0] for line in lines if line.split(",")[1] == "admin")


def node_name() -> str:
    """This machine's name as a DNS label."""
    name = "".join(c if c.isalnum() or c in "-." else "-" for c in socket.gethostname().lower()).strip("-.")
    return name[:63] or "node"


def load(var: Path, port: int, api_port: int) -> Installation:
    """The installation in `var`: as it was first decided, or decided now. Ports may differ at each start."""
    privileged = os.geteuid() == 0
    database = "postgresql" if environment.DATABASE_URL.get().startswith("postgres") else "sqlite"
    path = var / "config.json"
    if path.exists():
        kept = json.loads(path.read_text())
        if kept["privileged"] != privileged:
            owner, now = ("root", "an ordinary user") if kept["privileged"] else ("an ordinary user", "root")
            raise ValueError(
                f"{var} was made by {owner} and is now started by {now}: "
                f"start it as before, or choose another folder with VAR=…"
            )
        if (before := kept.get("database", database)) != database and (var / "migrated").exists():
            raise ValueError(
                f"the state of {var} is in {before}, and this start would leave it there and start with none in "
                f"{database}: set DATABASE_URL as before, or choose another folder with VAR=…"
            )
        slot = kept["slot"]
        if other := slots_taken(var, privileged).get(slot):
            raise ValueError(
                f"{var} has the same address ranges as the cluster in {other}, which runs: "
                f"end that first, with make down VAR={other}"
            )
    else:
        # It follows from the folder's name, so that it is stable; the next one where a cluster that runs has it.
        first, taken = zlib.crc32(str(var).encode()) % SLOTS, slots_taken(var, privileged)
        free = (slot for step in range(SLOTS) if (slot := (first + step) % SLOTS) not in taken)
        if (slot := next(free, None)) is None:
            raise ValueError(
                f"{SLOTS} clusters run on this machine, and there are address ranges for no more: end one first"
            )
    made = Installation(str(var), port, api_port, beside(api_port, "kubelet"), slot, node_name(), privileged, database)
    path.write_text(json.dumps(asdict(made), indent=2) + "\n")
    return made


def slots_taken(var: Path, privileged: bool) -> dict[int, Path]:
    """The slots of the clusters that run now, each with its state folder; the one in `var` is left out, and those that are
    not `privileged` alike: root's and an ordinary user's have no addresses in common.

    Of a folder that this user may not read nothing is known.
    """
    found = {}
    for folder in _folders():
        try:
            kept = json.loads((folder / "config.json").read_text())
            slot, alike = kept["slot"], kept["privileged"] == privileged
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if alike and folder != var:
            found[slot] = folder
    return found


def _folders() -> Iterator[Path]:
    """The state folders of the supervisors that run."""
    for entry in PROC.iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
        except OSError:  # no process, or one that has ended
            continue
        if "supervisor.supervisord" in words and "-c" in words[:-1]:
            yield Path(words[words.index("-c") + 1]).parent
