// What pages there are, and which kinds each shows as tabs. Kinds that nobody placed here are under "All kinds".

export const GROUPS = [
  { id: "overview", title: "Overview", key: "o" },
  { id: "nodes", title: "Nodes", key: "n", kinds: ["nodes"] },
  { id: "pods", title: "Pods", key: "p", kinds: ["pods"] },
  {
    id: "workloads",
    title: "Workloads",
    key: "w",
    kinds: [
      "workloads",
      "deployments.apps",
      "statefulsets.apps",
      "daemonsets.apps",
      "jobs.batch",
      "cronjobs.batch",
      "replicasets.apps",
      "replicationcontrollers",
    ],
  },
  {
    id: "services",
    title: "Services",
    key: "s",
    kinds: [
      "services",
      "endpoints",
      "endpointslices.discovery.k8s.io",
      "ingresses.networking.k8s.io",
      "ingressclasses.networking.k8s.io",
      "networkpolicies.networking.k8s.io",
    ],
  },
  {
    id: "configmaps",
    title: "Configuration",
    key: "c",
    kinds: [
      "configmaps",
      "secrets",
      "horizontalpodautoscalers.autoscaling",
      "poddisruptionbudgets.policy",
      "resourcequotas",
      "limitranges",
      "priorityclasses.scheduling.k8s.io",
    ],
  },
  {
    id: "persistentvolumeclaims",
    title: "Storage",
    key: "v",
    kinds: [
      "persistentvolumeclaims",
      "persistentvolumes",
      "storageclasses.storage.k8s.io",
      "volumeattachments.storage.k8s.io",
      "csinodes.storage.k8s.io",
      "csidrivers.storage.k8s.io",
    ],
  },
  {
    id: "serviceaccounts",
    title: "Access",
    key: "a",
    kinds: [
      "serviceaccounts",
      "roles.rbac.authorization.k8s.io",
      "rolebindings.rbac.authorization.k8s.io",
      "clusterroles.rbac.authorization.k8s.io",
      "clusterrolebindings.rbac.authorization.k8s.io",
    ],
  },
  { id: "events", title: "Events", key: "e", kinds: ["events"] },
  { id: "logs", title: "Logs", key: "l" },
  { id: "kinds", title: "All kinds", key: "k" },
];

export const groupOf = (page) =>
  GROUPS.find((group) => group.id === page || group.kinds?.includes(page)) ?? GROUPS.at(-1);

// How many objects a group's first tab shows. ReplicaSets are left out among workloads, where Deployments stand for
// them.
export function groupCount(group, kinds) {
  const wanted =
    group.id === "workloads"
      ? group.kinds.filter((storage) => storage !== "replicasets.apps")
      : group.kinds.slice(0, 1);
  return (kinds ?? []).reduce((sum, kind) => sum + (wanted.includes(kind.storage) ? kind.count : 0), 0);
}

// "deployments.apps" as people say it: "Deployments".
export function kindTitle(storage, kinds) {
  if (storage === "workloads") return "All workloads";
  const kind = kinds?.find((one) => one.storage === storage);
  return kind ? plural(kind.kind) : storage.split(".")[0];
}

export function plural(word) {
  if (/(s|x|ch)$/.test(word)) return word.endsWith("ints") || word.endsWith("points") ? word : `${word}es`;
  return /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : `${word}s`;
}
