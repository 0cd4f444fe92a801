"""What a long-lived process does with its memory once it has started."""

from __future__ import annotations

import ctypes
import gc

# Bursts of decoded objects die young: a collection for every few hundred of them finds nothing and costs a third more.
THRESHOLDS = (10_000, 20, 20)

# glibc's numbers for mallopt (malloc.h), and from how many bytes on a block is a mapping of its own.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
OWN_MAPPING = 128 * 1024


def give_back() -> None:
    """Large blocks go back to the system as soon as they are free: for a process whose clients choose their sizes.

    Left alone, glibc takes blocks of up to 32 MiB from its heap once one of that size was freed; small ones come to lie
    between them, and what is free is never given back. Does nothing where the C library is another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, OWN_MAPPING)
        mallopt(_TRIM_THRESHOLD, OWN_MAPPING)


def settle() -> None:
    """Leave what was loaded at the start out of every later garbage collection: it is there to stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
