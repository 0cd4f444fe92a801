"""The shapes of the objects that are read everywhere, for mypy: import it under `TYPE_CHECKING` only.

A shape says what a field holds where it is there, not that it is: the API leaves out what is empty, and only fields marked
`Required` are always there; what callers look up as `find(…) or {}` (conditions, owners, statuses) has none, so that `{}` is
one of them. Functions take `Json` or `Mapping[str, Any]` and return shapes, so that callers need no casts.
"""

from __future__ import annotations

from typing import Any, Literal, Required, TypedDict

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


class Object(TypedDict):
    """An object of any kind, as far as all are alike."""

    apiVersion: str
    kind: str
    metadata: ObjectMeta


class Status(TypedDict, total=False):
    """The API's answer to a request that returns no object."""

    apiVersion: Required[str]
    kind: Required[str]
    metadata: dict[str, Any]
    status: str
    message: str
    reason: str
    details: dict[str, Any]
    code: int


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


class LabelSelectorRequirement(TypedDict, total=False):
    """What a selector asks of one label."""

    key: Required[str]
    operator: Required[Literal["In", "NotIn", "Exists", "DoesNotExist"]]
    values: list[str]


class LabelSelector(TypedDict, total=False):
    """Which objects are meant, by their labels."""

    matchLabels: dict[str, str]
    matchExpressions: list[LabelSelectorRequirement]


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
    preemptionPolicy: str
    restartPolicy: str
    terminationGracePeriodSeconds: int
    activeDeadlineSeconds: int
    serviceAccountName: str
    hostname: str
    subdomain: str
    hostNetwork: bool
    dnsPolicy: str
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


# -- nodes and events ---------------------------------------------------------------------------------------------------


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


class Event(TypedDict, total=False):
    """What happened to an object, of `v1`."""

    apiVersion: str
    kind: str
    metadata: Required[ObjectMeta]
    involvedObject: Required[dict[str, Any]]
    type: str
    reason: str
    message: str
    source: dict[str, str]
    reportingComponent: str
    reportingInstance: str
    action: str
    count: int
    firstTimestamp: str | None
    lastTimestamp: str | None
    eventTime: str | None
    series: dict[str, Any] | None
