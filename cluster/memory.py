"""What a long-lived process does with its memory once it has started."""

from __future__ import annotations

import gc

# Bursts of decoded objects die young: a collection for every few hundred of them finds nothing and costs a third more.
THRESHOLDS = (10_000, 20, 20)


def settle() -> None:
    """Leave what was loaded at the start out of every later garbage collection: it is there to stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
