"""The shapes of the objects that are read everywhere, for mypy: import it under `TYPE_CHECKING` only.

A shape says what a field holds where it is there, not that it is: the API leaves out what is empty, and only fields marked
`Required` are always there; what callers look up as `find(…) or {}` (conditions, owners, statuses) has none, so that `{}` is
one of them. Functions return shapes, and take a shape or plain JSON (`…Like`): their callers need no casts, and yet mypy
tells a field that there is not.
"""

from __future__ import annotations

from typing import Any, Literal, Required, TypedDict

from kube.objects import Json

Truth = Literal["True", "False", "Unknown"]
Quantities = dict[str, Any]  # as written, a string or a number, by resource name


# -- of every kind ------------------------------------------------------------------------------------------------------


class OwnerReference(TypedDict, total=False):
    """Who an object belongs to."""

    apiVersion: str
    kind: str
    name: str
    uid: str
    controller: bool
    blockOwnerDeletion: bool


class ObjectMeta(TypedDict, total=False):
    """What every object says of itself; times are RFC 3339."""

    name: Required[str]
    generateName: str
    namespace: str
    uid: str
    resourceVersion: str
    generation: int
    creationTimestamp: str
    deletionTimestamp: str
    deletionGracePeriodSeconds: int
    labels: dict[str, str]
    annotations: dict[str, str]
    ownerReferences: list[OwnerReference]
    finalizers: list[str]
    managedFields: list[dict[str, Any]]


class Condition(TypedDict, total=False):
    """One of `status.conditions`."""

    type: str
    status: Truth
    reason: str
    message: str
    observedGeneration: int
    lastTransitionTime: str
    lastUpdateTime: str
    lastProbeTime: str | None
    lastHeartbeatTime: str


# -- pods ---------------------------------------------------------------------------------------------------------------


class ContainerStateWaiting(TypedDict, total=False):
    """Why a container does not run yet."""

    reason: str
    message: str


class ContainerStateRunning(TypedDict, total=False):
    """Since when a container runs."""

    startedAt: str


class ContainerStateTerminated(TypedDict, total=False):
    """How a container ended."""

    exitCode: Required[int]
    signal: int
    reason: str
    message: str
    startedAt: str
    finishedAt: str
    containerID: str


class ContainerState(TypedDict, total=False):
    """One of three; none of them counts as waiting."""

    waiting: ContainerStateWaiting
    running: ContainerStateRunning
    terminated: ContainerStateTerminated


class ResourceRequirements(TypedDict, total=False):
    """What a container, or a whole pod, requests and is limited to."""

    requests: Quantities
    limits: Quantities
    claims: list[dict[str, Any]]


class ContainerStatus(TypedDict, total=False):
    """What the node says of a container."""

    name: str
    state: ContainerState
    lastState: ContainerState
    ready: bool
    started: bool
    restartCount: int
    image: str
    imageID: str
    containerID: str
    resources: ResourceRequirements
    allocatedResources: Quantities


class Container(TypedDict, total=False):
    """A container of a pod's spec."""

    name: Required[str]
    image: str
    imagePullPolicy: str
    command: list[str]
    args: list[str]
    workingDir: str
    env: list[dict[str, Any]]
    envFrom: list[dict[str, Any]]
    ports: list[dict[str, Any]]
    resources: ResourceRequirements
    restartPolicy: str
    restartPolicyRules: list[dict[str, Any]]
    volumeMounts: list[dict[str, Any]]
    livenessProbe: dict[str, Any]
    readinessProbe: dict[str, Any]
    startupProbe: dict[str, Any]
    lifecycle: dict[str, Any]
    securityContext: dict[str, Any]
    terminationMessagePath: str
    terminationMessagePolicy: str
    stdin: bool
    stdinOnce: bool
    tty: bool
    targetContainerName: str
    resizePolicy: list[dict[str, str]]


class Toleration(TypedDict, total=False):
    """A taint that a pod tolerates."""

    key: str
    operator: str
    value: str
    effect: str
    tolerationSeconds: int


class PodSpec(TypedDict, total=False):
    """What a pod should be."""

    containers: Required[list[Container]]
    initContainers: list[Container]
    ephemeralContainers: list[Container]
    nodeName: str
    nodeSelector: dict[str, str]
    affinity: dict[str, Any]
    tolerations: list[Toleration]
    topologySpreadConstraints: list[dict[str, Any]]
    schedulerName: str
    schedulingGates: list[dict[str, Any]]
    priority: int
    priorityClassName: str
    runtimeClassName: str
    preemptionPolicy: str
    restartPolicy: str
    terminationGracePeriodSeconds: int
    activeDeadlineSeconds: int
    serviceAccountName: str
    enableServiceLinks: bool
    imagePullSecrets: list[dict[str, str]]
    hostname: str
    subdomain: str
    hostNetwork: bool
    dnsPolicy: str
    dnsConfig: dict[str, Any]
    hostAliases: list[dict[str, Any]]
    resources: ResourceRequirements
    overhead: Quantities
    volumes: list[dict[str, Any]]
    securityContext: dict[str, Any]
    readinessGates: list[dict[str, Any]]


class PodStatus(TypedDict, total=False):
    """What a pod is."""

    phase: str
    reason: str
    message: str
    conditions: list[Condition]
    startTime: str
    hostIP: str
    podIP: str
    podIPs: list[dict[str, str]]
    qosClass: str
    nominatedNodeName: str
    observedGeneration: int
    initContainerStatuses: list[ContainerStatus]
    containerStatuses: list[ContainerStatus]
    ephemeralContainerStatuses: list[ContainerStatus]
    resources: ResourceRequirements
    allocatedResources: Quantities


class Pod(TypedDict, total=False):
    """Containers that run together on one node."""

    apiVersion: str
    kind: str
    metadata: Required[ObjectMeta]
    spec: Required[PodSpec]
    status: PodStatus


# -- nodes ---------------------------------------------------------------------------------------------------------------


class Taint(TypedDict, total=False):
    """What keeps pods off a node."""

    key: Required[str]
    value: str
    effect: Required[str]
    timeAdded: str


class NodeSpec(TypedDict, total=False):
    """What a node should be."""

    podCIDR: str
    podCIDRs: list[str]
    providerID: str
    unschedulable: bool
    taints: list[Taint]


class NodeStatus(TypedDict, total=False):
    """What a node is."""

    capacity: Quantities
    allocatable: Quantities
    conditions: list[Condition]
    addresses: list[dict[str, str]]
    nodeInfo: dict[str, Any]
    images: list[dict[str, Any]]
    daemonEndpoints: dict[str, Any]


class Node(TypedDict, total=False):
    """A machine that pods run on."""

    apiVersion: str
    kind: str
    metadata: Required[ObjectMeta]
    spec: NodeSpec
    status: NodeStatus


# -- what functions take --------------------------------------------------------------------------------------------------

PodLike = Pod | Json
PodSpecLike = PodSpec | Json
PodStatusLike = PodStatus | Json
ContainerLike = Container | Json
NodeLike = Node | Json
