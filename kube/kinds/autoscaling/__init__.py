"""autoscaling/v2 and v1: HorizontalPodAutoscaler. Kept as v2; v1 is a view on it."""

from kube.kinds.autoscaling import kinds
from kube.registry import register

register(kinds.V2, kinds.V1)
