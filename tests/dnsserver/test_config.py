"""The mounted ConfigMap and the machine's resolv.conf."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnsserver.config import Config, ConfigError, make, read


@pytest.fixture
def resolv(tmp_path: Path) -> Path:
    path = tmp_path / "resolv.conf"
    servers = ("192.0.2.53", "127.0.0.53", "10.96.0.10", "fe80::1%eth0")
    path.write_text("search corp\n" + "".join(f"nameserver {server}\n" for server in servers))
    return path


def test_without_configuration_the_machines_servers_are_asked_but_never_ourselves(resolv: Path) -> None:
    assert make({}, resolv, ["10.96.0.10"]).upstream == (("192.0.2.53", 53), ("fe80::1", 53))
    assert ("127.0.0.53", 53) in make({}, resolv, alone=False).upstream, (
        "on the machine's network loopback can be asked"
    )


def test_a_machine_without_the_file_has_no_servers(tmp_path: Path) -> None:
    assert make({}, tmp_path / "none", alone=False).upstream == ()


def test_everything_can_be_configured(resolv: Path) -> None:
    files = {
        "upstreamNameservers": '["192.0.2.1", "192.0.2.2:5353", "[2001:db8::1]:53", "2001:db8::2"]',
        "ttl": "30\n",
        "stubDomains": '{"Corp.Example.": ["192.0.2.9"], "a.corp.example": ["192.0.2.8"]}',
        "podRecords": "disabled",
        "cacheSeconds": "0",
        "negativeCacheSeconds": "10",
    }
    found = make(files, resolv)
    assert found.upstream == (("192.0.2.1", 53), ("192.0.2.2", 5353), ("2001:db8::1", 53), ("2001:db8::2", 53))
    assert (found.ttl, found.pod_records, found.cache_seconds, found.negative_seconds) == (30, "disabled", 0, 10)
    assert found.servers(("x", "a", "corp", "example")) == (("192.0.2.8", 53),), "the longest domain wins"
    assert found.servers(("corp", "example")) == (("192.0.2.9", 53),)
    assert found.servers(("example",)) == found.upstream == Config(upstream=found.upstream).servers(("example",))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"upstreamNameservers": "192.0.2.1"}, "upstreamNameservers is not JSON"),
        ({"upstreamNameservers": "{}"}, "upstreamNameservers is {}; it has to be a JSON list"),
        ({"upstreamNameservers": '["dns.example"]'}, "'dns.example' is no address"),
        ({"upstreamNameservers": '["192.0.2.1:0"]'}, "a port is a number from 1 to 65535"),
        ({"stubDomains": '{"a": "192.0.2.1"}'}, "stubDomains\\['a'\\] is '192.0.2.1'; it has to be a list"),
        ({"stubDomains": '{"a..b": []}'}, "'a..b' is no domain name"),
        ({"ttl": "-1"}, "ttl is '-1'; it has to be a number of seconds from 0 to 3600"),
        ({"podRecords": "secure"}, "podRecords is 'secure'; it may be one of insecure, verified, disabled"),
    ],
)
def test_what_can_not_be_used_is_named(files: dict[str, str], message: str, resolv: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        make(files, resolv)


def test_the_folder_of_a_mounted_configmap_is_read(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "ttl").write_text("7")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "ttl").symlink_to("..data/ttl")
    assert read(tmp_path) == {"ttl": "7"} and read(tmp_path / "none") == {} == read(None)
