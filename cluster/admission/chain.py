"""The admission chain: which plugins there are, in which order, and why in that order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import environment
from cluster.admission import configuration
from cluster.admission.always_pull_images import AlwaysPullImages
from cluster.admission.anti_affinity_topology import LimitPodHardAntiAffinityTopology
from cluster.admission.certificates import CertificateApproval, CertificateSigning, CertificateSubjectRestriction
from cluster.admission.cluster_addresses import ClusterAddresses
from cluster.admission.default_ingress_class import DefaultIngressClass
from cluster.admission.default_storage_class import DefaultStorageClass
from cluster.admission.default_toleration_seconds import DefaultTolerationSeconds
from cluster.admission.escalation import EscalationCheck
from cluster.admission.event_rate_limit import EventRateLimit
from cluster.admission.extended_resource_toleration import ExtendedResourceToleration
from cluster.admission.external_ips import DenyServiceExternalIPs
from cluster.admission.limit_ranger import LimitRanger
from cluster.admission.namespace_lifecycle import NamespaceLifecycle
from cluster.admission.node_restriction import NodeRestriction
from cluster.admission.owner_references import OwnerReferencesPermissionEnforcement
from cluster.admission.plugin import Plugin
from cluster.admission.pod_security import PodSecurity
from cluster.admission.pod_toleration_restriction import PodTolerationRestriction
from cluster.admission.pod_topology import PodTopologyLabels
from cluster.admission.policies.mutating import MutatingAdmissionPolicy
from cluster.admission.policies.validating import ValidatingAdmissionPolicy
from cluster.admission.priority import Priority
from cluster.admission.request import Request
from cluster.admission.resource_quota import ResourceQuota
from cluster.admission.runtime_class import RuntimeClass
from cluster.admission.service_account import ServiceAccount
from cluster.admission.storage_protection import StorageProtection
from cluster.admission.taint_nodes import TaintNodes
from kube.objects import Json

# (plugin, on by default, why it stands where it stands)
ORDER: Sequence[tuple[type[Plugin], bool, str]] = (
    (NamespaceLifecycle, True, "first: nothing else matters in a namespace that is not there or is going away"),
    (LimitRanger, True, "fills in requests and limits before anything counts or weighs them"),
    (ServiceAccount, True, "adds the account, its token volume and its pull secrets, which later checks look at"),
    (
        NodeRestriction,
        False,
        "a kubelet is confined before its write can have effects; off unless asked for, as upstream",
    ),
    (TaintNodes, True, "a new node is tainted not-ready before the scheduler can see it"),
    (AlwaysPullImages, False, "as early as the account's pull secrets are in"),
    (PodSecurity, True, "after the account's mounts are in, on the pod as it will run"),
    (PodTopologyLabels, True, "labels of the node; independent of the rest"),
    (Priority, True, "resolves the class to a number before quota scopes ask for it"),
    (DefaultTolerationSeconds, True, "after everything that may bring tolerations of its own"),
    (PodTolerationRestriction, False, "judges the tolerations of the pod, the default ones among them"),
    (EventRateLimit, False, "independent of the rest"),
    (ExtendedResourceToleration, False, "tolerations of the devices that are requested, after limits were filled in"),
    (LimitPodHardAntiAffinityTopology, False, "independent of the rest"),
    (RuntimeClass, True, "adds overhead and tolerations; before quota, which counts overhead"),
    (StorageProtection, True, "finalizers on volumes and claims from their first moment"),
    (DefaultStorageClass, True, "chooses a class before quota counts claims per class"),
    (DefaultIngressClass, True, "chooses a class; independent of the rest"),
    (OwnerReferencesPermissionEnforcement, False, "on the owners as they will be stored"),
    (CertificateApproval, True, "before a request can be signed for"),
    (CertificateSigning, True, "the certificate is part of a status: nobody writes one without the right to sign"),
    (CertificateSubjectRestriction, True, "no client certificate is ever asked for system:masters"),
    (
        ClusterAddresses,
        True,
        "on the addresses and ports as they will be stored; ours, there is none of its kind upstream",
    ),
    (DenyServiceExternalIPs, False, "independent of the rest; off unless asked for, as upstream"),
    (EscalationCheck, True, "nobody grants what they do not hold; on the rules as they will be stored"),
    (MutatingAdmissionPolicy, True, "the administrator's changes, on what all others have made of the object"),
    (ValidatingAdmissionPolicy, True, "the administrator's rules, on what all others have made of the object"),
    (ResourceQuota, True, "last: it charges, and whatever is refused must not be charged"),
)

Step = Callable[[Request], None]


class Chain:
    """An ordered set of plugins; which of them see a write is worked out once per kind of write."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self._steps: dict[tuple[str, str, str], tuple[tuple[Step, ...], tuple[Step, ...]]] = {}

    def mutate(self, request: Request) -> None:
        """Let every plugin change the object; raises ApiError when one refuses."""
        for step in self._of(request)[0]:
            step(request)

    def validate(self, request: Request) -> None:
        """Ask every plugin; raises ApiError when one refuses."""
        for step in self._of(request)[1]:
            step(request)

    def _of(self, request: Request) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        what = (request.operation, request.kind.storage, request.subresource)
        found = self._steps.get(what)
        if found is None:
            plugins = [plugin for plugin in self.plugins if plugin.handles(*what)]
            found = (
                tuple(p.mutate for p in plugins if type(p).mutate is not Plugin.mutate),
                tuple(p.validate for p in plugins if type(p).validate is not Plugin.validate),
            )
            if len(self._steps) < 10_000:
                self._steps[what] = found
        return found


def make_chain(
    enabled: Sequence[str] = (), disabled: Sequence[str] = (), configured: Mapping[str, Json] | None = None
) -> Chain:
    """The plugins that are on by default, those named in `enabled`, without those in `disabled`.

    `configured`: configurations by plugin; of one that is off it is checked too. Raises ValueError.
    """
    configured = configured or {}
    known = {plugin.__name__ for plugin, _, _ in ORDER}
    unknown = [name for name in (*enabled, *disabled, *configured) if name not in known]
    if unknown:
        raise ValueError(f"no admission plugin is called {unknown[0]!r}; there are: {', '.join(sorted(known))}")
    plugins = []
    for kind, default, _ in ORDER:
        name, plugin = kind.__name__, kind()
        on = (default or name in enabled) and name not in disabled
        if on or name in configured:
            try:
                plugin.configure(configured.get(name))
            except ValueError as error:
                raise ValueError(f"admission plugin {name}: {error}") from None
        if on:
            plugins.append(plugin)
    return Chain(plugins)


@lru_cache(maxsize=8)
def default_chain(enabled: tuple[str, ...] = (), disabled: tuple[str, ...] = (), file: Path | None = None) -> Chain:
    """The chain of this installation: its settings with these names beside them, and `file` in place of theirs.

    One for all sessions of a process. Raises ValueError.
    """
    file = file or environment.ADMISSION_CONFIG.get()
    named = (*environment.ADMISSION_PLUGINS.get(), *enabled)
    return make_chain(named, disabled, configuration.load(file) if file else None)
