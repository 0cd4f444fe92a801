"""Texts that are addresses and networks, to every program alike."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.ipaddresses import canonical_cidr, canonical_ip, cidr, cidr_warnings, ip_address, ip_warnings

ADDRESSES = st.one_of(
    st.ip_addresses(v=4), st.ip_addresses(v=6).filter(lambda a: getattr(a, "ipv4_mapped", None) is None)
)


@given(ADDRESSES, st.integers(0, 32))
def test_what_the_library_writes_is_canonical(address: ipaddress.IPv4Address, length: int) -> None:
    network = ipaddress.ip_network(f"{address}/{length}", strict=False)
    assert not canonical_ip(str(address)) and not canonical_cidr(str(network))
    assert not ip_warnings("p", str(address)) and not cidr_warnings("p", str(network))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("010.002.3.4", "must not have leading 0s"),
        ("::ffff:1.2.3.4", "must not be an IPv4-mapped IPv6 address"),
        ("fe80::1%eth0", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("1.2.3", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    ],
)
def test_bad_addresses(text: str, wrong: str) -> None:
    assert ip_address(text) == [wrong]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("10.0.0.0/08", "must not have leading 0s in IP or prefix length"),
        ("010.0.0.0/8", "must not have leading 0s in IP or prefix length"),
        ("::ffff:10.0.0.0/104", "must not have an IPv4-mapped IPv6 address"),
        ("10.0.0.1/8", "must not have bits set beyond the prefix length"),
        ("10.0.0.0/255.0.0.0", "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
        ("10.0.0.0", "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
        ("10.0.0.0/33", "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
    ],
)
def test_bad_networks(text: str, wrong: str) -> None:
    assert cidr(text) == [wrong]


def test_old_forms_are_valid_and_not_canonical() -> None:
    assert not ip_address("2001:DB8:0::1") and not cidr("2001:DB8::/32")
    assert canonical_ip("2001:DB8:0::1") == ['must be in canonical form ("2001:db8::1")']
    assert canonical_cidr("2001:DB8::/32") == ['must be in canonical form ("2001:db8::/32")']
