"""Formats of addresses and networks: what programs read alike, and what is written as Kubernetes writes it.

A checker takes a text and returns what is wrong with it, as those of `kube.validation`.
"""

from __future__ import annotations

import ipaddress
import re

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_is_dotted = re.compile(r"[0-9]+(\.[0-9]+){3}").fullmatch
_leading_zeros = re.compile(r"\b0+(?=[0-9])")


def ip_of(value: str) -> Address | None:
    """The address, None if the text is none."""
    try:
        return None if "%" in value else ipaddress.ip_address(value)
    except ValueError:
        return None


def _without_zeros(value: str) -> str:
    """An IPv4 address with octets as other programs read them: `010` as 10."""
    return _leading_zeros.sub("", value) if _is_dotted(value) else value


def ip_address(value: str) -> list[str]:
    """An IPv4 or IPv6 address that all programs read alike."""
    address = ip_of(value)
    if address is None:
        sloppy = ip_of(_without_zeros(value))
        return [
            "must not have leading 0s" if sloppy else "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        ]
    return ["must not be an IPv4-mapped IPv6 address"] if getattr(address, "ipv4_mapped", None) else []


def canonical_ip(value: str) -> list[str]:
    """An address written as Kubernetes writes it."""
    address = ip_of(value)
    if (wrong := ip_address(value)) or address is None or str(address) == value:
        return wrong
    return [f'must be in canonical form ("{address}")']


def network_of(value: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    """The address and its network such as 10.9.8.7/24, None if the text is none."""
    address, slash, length = value.partition("/")
    try:
        return ipaddress.ip_interface(value) if slash and ip_of(address) and length.isdecimal() else None
    except ValueError:
        return None


def cidr(value: str) -> list[str]:
    """A network such as 10.9.8.0/24 that all programs read alike."""
    found, (address, _, length) = network_of(value), value.partition("/")
    plain = length == "0" or not length.startswith("0")
    if found is None or not plain:
        sloppy = network_of(f"{_without_zeros(address)}/{length.lstrip('0') or '0'}") if length else None
        malformed = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        return ["must not have leading 0s in IP or prefix length" if sloppy else malformed]
    if getattr(found.ip, "ipv4_mapped", None):
        return ["must not have an IPv4-mapped IPv6 address"]
    return [] if found.ip == found.network.network_address else ["must not have bits set beyond the prefix length"]


def canonical_cidr(value: str) -> list[str]:
    """A network written as Kubernetes writes it."""
    found = network_of(value)
    if (wrong := cidr(value)) or found is None or str(found) == value:
        return wrong
    return [f'must be in canonical form ("{found}")']


def ip_warnings(path: str, value: str) -> list[str]:
    """What clients are told of an address that is read, and yet not as one writes it today."""
    address = ip_of(value) or ip_of(_without_zeros(value))
    if address is None or (not ip_address(value) and str(address) == value):
        return []
    shown = getattr(address, "ipv4_mapped", None) or address
    if ip_address(value):
        return [f'{path}: non-standard IP address "{value}" is invalid: use "{shown}"']
    return [f'{path}: IPv6 address "{value}" should be in RFC 5952 canonical format ("{shown}")']


def cidr_warnings(path: str, value: str) -> list[str]:
    """The same of a network."""
    found = network_of(value)
    if found is None or str(found.network) == value:
        return []
    if found.ip != found.network.network_address:
        alone = f"{found.ip}/{found.max_prefixlen}"
        return [
            f'{path}: CIDR value "{value}" is ambiguous in this context (should be "{found.network}" or "{alone}"?)'
        ]
    return [f'{path}: IPv6 CIDR value "{value}" should be in RFC 5952 canonical format ("{found.network}")']
