"""resource.k8s.io/v1: devices that pods claim (DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice)."""

from kube.kinds.resource import kinds
from kube.registry import register

register(*kinds.KINDS)
