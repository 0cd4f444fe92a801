"""What Kubernetes' role `view` opens in the namespace where it is bound, of every resource that discovery names."""

from __future__ import annotations

CANARY = "canary-4711"  # in whatever the other namespace has
READ = frozenset({"get", "list", "watch"})
NOTHING, ASK = frozenset[str](), frozenset({"create"})
# Group, right, resources. `ask` is for everybody who is known: of oneself one may ask.
TABLE = """
core read bindings configmaps endpoints events limitranges namespaces namespaces/status persistentvolumeclaims
core read persistentvolumeclaims/status pods pods/log pods/status replicationcontrollers replicationcontrollers/scale
core read replicationcontrollers/status resourcequotas resourcequotas/status serviceaccounts services services/status
core nothing secrets podtemplates namespaces/finalize pods/attach pods/binding pods/ephemeralcontainers pods/eviction
core nothing pods/exec pods/portforward pods/proxy pods/resize serviceaccounts/token services/proxy nodes nodes/proxy
core nothing nodes/status persistentvolumes persistentvolumes/status componentstatuses
apps read controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets
apps read replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status
autoscaling read horizontalpodautoscalers horizontalpodautoscalers/status
batch read cronjobs cronjobs/status jobs jobs/status
discovery.k8s.io read endpointslices
events.k8s.io read events
networking.k8s.io read ingresses ingresses/status networkpolicies
networking.k8s.io nothing ingressclasses ipaddresses servicecidrs servicecidrs/status
policy read poddisruptionbudgets poddisruptionbudgets/status
resource.k8s.io read resourceclaims resourceclaims/status resourceclaimtemplates
resource.k8s.io nothing deviceclasses resourceslices
authentication.k8s.io ask selfsubjectreviews
authentication.k8s.io nothing tokenreviews
authorization.k8s.io ask selfsubjectaccessreviews selfsubjectrulesreviews
authorization.k8s.io nothing localsubjectaccessreviews subjectaccessreviews
admissionregistration.k8s.io nothing mutatingadmissionpolicies mutatingadmissionpolicybindings
admissionregistration.k8s.io nothing mutatingwebhookconfigurations validatingadmissionpolicies
admissionregistration.k8s.io nothing validatingadmissionpolicies/status validatingadmissionpolicybindings
admissionregistration.k8s.io nothing validatingwebhookconfigurations
apiextensions.k8s.io nothing customresourcedefinitions customresourcedefinitions/status
apiregistration.k8s.io nothing apiservices apiservices/status
certificates.k8s.io nothing certificatesigningrequests certificatesigningrequests/approval
certificates.k8s.io nothing certificatesigningrequests/status
coordination.k8s.io nothing leases
flowcontrol.apiserver.k8s.io nothing flowschemas flowschemas/status prioritylevelconfigurations
flowcontrol.apiserver.k8s.io nothing prioritylevelconfigurations/status
node.k8s.io nothing runtimeclasses
rbac.authorization.k8s.io nothing clusterrolebindings clusterroles rolebindings roles
scheduling.k8s.io nothing priorityclasses
storage.k8s.io nothing csidrivers csinodes csistoragecapacities storageclasses volumeattachments
storage.k8s.io nothing volumeattachments/status volumeattributesclasses
"""


def _read() -> dict[str, dict[str, frozenset[str]]]:
    found: dict[str, dict[str, frozenset[str]]] = {}
    for line in TABLE.strip().splitlines():
        group, right, *names = line.split()
        rights = {"read": READ, "nothing": NOTHING, "ask": ASK}[right]
        found.setdefault("" if group == "core" else group, {}).update(dict.fromkeys(names, rights))
    return found


VIEW = _read()  # by group and resource
