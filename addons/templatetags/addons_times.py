"""Times for people."""

from __future__ import annotations

import time

from django import template

register = template.Library()


@register.filter
def moment(seconds: float) -> str:
    """Epoch seconds as `2026-01-02 03:04:05`, UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
