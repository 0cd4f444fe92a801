"""networking.k8s.io/v1: Ingress, IngressClass, NetworkPolicy, ServiceCIDR, IPAddress."""

from kube.kinds.networking import addresses, ingress, ingressclass, networkpolicy
from kube.registry import register

register(ingressclass.KIND, ingress.KIND, addresses.IP_ADDRESS, networkpolicy.KIND, addresses.SERVICE_CIDR)
