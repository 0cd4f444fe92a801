// What the dashboard depends on, and what of it is away.
import { computed } from "./lib.js";
import { link } from "./socket.js";

// What lies behind a page: name, title, and what it means that it is away.
export const PARTS = [
  ["store", "Change log", ""],
  ["api", "API server", "kubectl and the cluster's parts cannot change anything now"],
  ["redis", "Redis", "controllers and scheduler stand still, and changes arrive up to a second late"],
  ["controllers", "Controllers", "nothing is scaled, replaced or cleaned up now"],
  ["scheduler", "Scheduler", "new pods get no node now"],
  ["kubelet", "Kubelet", "this machine's pods are neither started nor stopped now, and what is shown of them is old"],
  ["kubeproxy", "kube-proxy", "services do not follow their pods now"],
];

// Those of them that are known to be away.
export const away = computed(() => PARTS.filter(([name]) => link.value.health?.[name]?.up === false));
