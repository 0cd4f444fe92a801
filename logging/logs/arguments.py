"""Values on the command lines of the store and of the shipper."""

from __future__ import annotations

import argparse
import re

_UNITS = {
    "": 1,
    "Ki": 1 << 10,
    "Mi": 1 << 20,
    "Gi": 1 << 30,
    "Ti": 1 << 40,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{0,9})?)(?:(Ki|Mi|Gi|Ti|k|M|G|T)|[eE]\+?(\d{1,2}))?")


def size(text: str) -> int:
    """Bytes of a quantity as Kubernetes writes it: `512Mi`, `1.5Gi`, `20G`, `2e9`."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write one as 512Mi or 2Gi")
    return int(float(match[1]) * (10 ** int(match[3]) if match[3] else _UNITS[match[2] or ""]))


def positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return int(text)
