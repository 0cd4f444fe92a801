"""Sums over topology domains: nodes that share the value of a label."""

from __future__ import annotations

import numpy as np

from scheduler.columns import Array


def domain_sums(ids: Array, counts: Array, where: Array | None = None) -> Array:
    """Sum of `counts` a domain, indexed by interned value (0: nodes without the label, always 0).

    `where` limits which nodes are summed.
    """
    weights = counts if where is None else counts * where
    sums = np.bincount(ids, weights=weights)
    if len(sums):
        sums[0] = 0
    return sums


def spread_out(ids: Array, counts: Array, where: Array | None = None) -> Array:
    """For each node the sum over its domain; 0 where the node lacks the label."""
    if not len(ids):
        return np.zeros(0)
    return domain_sums(ids, counts, where)[ids]
