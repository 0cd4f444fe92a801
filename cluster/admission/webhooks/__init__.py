"""Admission webhooks: servers outside that are asked about a write, and may change or refuse it.

Both functions are plans: what they yield is asked without a lock, a transaction or the event loop being held.
"""

from __future__ import annotations

from cluster.admission.webhooks.mutating import mutate
from cluster.admission.webhooks.validating import validate

__all__ = ["mutate", "validate"]
