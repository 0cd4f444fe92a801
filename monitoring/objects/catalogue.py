"""All kinds whose metrics are shown."""

from __future__ import annotations

from monitoring.objects.families import Families
from monitoring.objects.nodes import NODES
from monitoring.objects.pods import PODS

RESOURCES: tuple[Families, ...] = (NODES, PODS)
