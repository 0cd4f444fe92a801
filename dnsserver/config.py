"""Configuration: a folder of files (the mounted ConfigMap `kube-dns`) and the machine's resolv.conf.

| file | meaning | default |
| --- | --- | --- |
| `upstreamNameservers` | JSON list of servers to ask for names outside the cluster | those of resolv.conf |
| `stubDomains` | JSON object: domain -> list of servers to ask for its names | none |
| `ttl` | seconds that answers about the cluster live, 0-3600 | 5 |
| `podRecords` | names of pods: `insecure`, any address is answered; `verified`, those of pods; `disabled`, none | insecure |
| `cacheSeconds` | seconds that upstream answers are kept at most | 30 |
| `negativeCacheSeconds` | the same for upstream answers that there is nothing | 30 |

A server is an address, with a port where that is not 53: `10.0.0.2`, `10.0.0.2:5353`, `[2001:db8::1]:53`.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from web.address import port_of

INSECURE, VERIFIED, DISABLED = POD_RECORDS = "insecure", "verified", "disabled"
RESOLVED = Path("/run/systemd/resolve/resolv.conf")  # the servers behind systemd-resolved's own address
Server = tuple[str, int]
T = TypeVar("T", list[Any], dict[str, Any])


class ConfigError(ValueError):
    """What a file says is not allowed; the message names the file and what would be right."""


@dataclass(frozen=True, slots=True)
class Config:
    """See the module's table. `stubs` by the domain's labels."""

    upstream: tuple[Server, ...] = ()
    stubs: Mapping[tuple[str, ...], tuple[Server, ...]] = field(default_factory=dict)
    ttl: int = 5
    pod_records: str = INSECURE
    cache_seconds: int = 30
    negative_seconds: int = 30

    def servers(self, labels: tuple[str, ...]) -> tuple[Server, ...]:
        """Whom to ask for a name: the stub domain with the most labels, else the upstream servers."""
        for at in range(len(labels) if self.stubs else 0):
            if labels[at:] in self.stubs:
                return self.stubs[labels[at:]]
        return self.upstream


def read(folder: Path | None) -> dict[str, str]:
    """The files of the folder by name; empty when there is none."""
    if folder is None or not folder.is_dir():
        return {}
    return {
        file.name: file.read_text() for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")
    }


def make(files: Mapping[str, str], resolv_conf: Path, own: Collection[str] = (), *, alone: bool = True) -> Config:
    """The configuration. Raises ConfigError.

    `own`: addresses that are this server's, never asked. `alone`: whether this process has a network of its own, where
    the machine's loopback addresses lead nowhere.
    """
    words = {name: text.strip() for name, text in files.items()}
    upstream = _servers("upstreamNameservers", _json(words, "upstreamNameservers", list, []))
    stubs = {}
    for name, servers in _json(words, "stubDomains", dict, {}).items():
        labels = tuple(name.strip(".").lower().split("."))
        if not all(0 < len(label) < 64 and label.isascii() for label in labels):
            raise ConfigError(f"stubDomains: {name!r} is no domain name")
        stubs[labels] = _servers(f"stubDomains[{name!r}]", servers)
    pods = words.get("podRecords") or INSECURE
    if pods not in POD_RECORDS:
        raise ConfigError(f"podRecords is {pods!r}; it may be one of {', '.join(POD_RECORDS)}")
    found = upstream or machine_servers(resolv_conf, alone=alone)
    return Config(
        tuple(server for server in found if server[0] not in own),
        stubs,
        _number(words, "ttl", 5),
        pods,
        _number(words, "cacheSeconds", 30),
        _number(words, "negativeCacheSeconds", 30),
    )


def machine_servers(path: Path, *, alone: bool) -> tuple[Server, ...]:
    """The servers that a resolv.conf names; those behind systemd-resolved where its own cannot be reached."""
    for file in (path, RESOLVED):
        try:
            lines = [line.split() for line in file.read_text().splitlines()]
        except OSError:
            continue  # a machine without the file has no servers
        named = [words[1].partition("%")[0] for words in lines if len(words) > 1 and words[0] == "nameserver"]
        found = [(address, 53) for address in named if not (alone and _loopback(address))]
        if found:
            return tuple(found)
    return ()


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return True  # no address at all: not one that can be asked


def _json(words: Mapping[str, str], name: str, kind: type[T], default: T) -> T:
    text = words.get(name)
    if not text:
        return default
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{name} is not JSON: {error}") from error
    if not isinstance(value, kind):
        raise ConfigError(f"{name} is {value!r}; it has to be a JSON {'list' if kind is list else 'object'}")
    return value


def _servers(field: str, texts: object) -> tuple[Server, ...]:
    if not isinstance(texts, list):
        raise ConfigError(f"{field} is {texts!r}; it has to be a list of servers")
    return tuple(_server(field, text) for text in texts)


def _server(field: str, text: object) -> Server:
    host, port = str(text), "53"
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ConfigError(
            f"{field}: {text!r} is no address (such as 10.0.0.2, 10.0.0.2:5353 or [fd00::1]:53)"
        ) from None
    if (number := port_of(port)) is None:
        raise ConfigError(f"{field}: {text!r}: a port is a number from 1 to 65535")
    return host, number


def _number(words: Mapping[str, str], name: str, default: int) -> int:
    text = words.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) <= 3600):
        raise ConfigError(f"{name} is {text!r}; it has to be a number of seconds from 0 to 3600")
    return int(text)
