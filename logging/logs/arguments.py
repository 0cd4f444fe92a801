"""Values on the command lines of the store and of the shipper."""

from __future__ import annotations

import argparse

from kube import quantity


def size(text: str) -> int:
    """Bytes of a quantity as Kubernetes writes it: `512Mi`, `1.5Gi`, `20G`, `2e9`."""
    try:
        found = quantity.units(text)
    except ValueError:
        found = -1
    if found < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write one as 512Mi or 2Gi")
    return found


def positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return int(text)
