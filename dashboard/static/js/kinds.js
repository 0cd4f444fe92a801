// The kinds of the cluster, as the feed `kinds` lists them, in the words of the page. Pure functions.

// How many objects a page of kinds is about: those of its first tab, or of all kinds of workloads, of which ReplicaSets
// are left out: Deployments stand for them.
export function objectsOf(page, kinds) {
  const counted =
    page.id === "workloads" ? page.kinds.filter((one) => one !== "replicasets.apps") : page.kinds.slice(0, 1);
  return (kinds ?? []).reduce((sum, kind) => sum + (counted.includes(kind.storage) ? kind.count : 0), 0);
}

// "deployments.apps" as people say it: "Deployments".
export function kindTitle(storage, kinds) {
  if (storage === "workloads") return "All workloads";
  const kind = kinds?.find((one) => one.storage === storage);
  return kind ? plural(kind.kind) : storage.split(".")[0];
}

function plural(word) {
  if (/(s|x|ch)$/.test(word)) return word.endsWith("ints") || word.endsWith("points") ? word : `${word}es`;
  return /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : `${word}s`;
}

// "deployments.apps" as its kind: "Deployment".
export const singular = (storage, kinds) =>
  kinds?.find((kind) => kind.storage === storage)?.kind ?? storage.split(".")[0];

// From an event's reference to the key of what it is about.
export function keyOf(about, kinds) {
  const group = about.apiVersion.includes("/") ? about.apiVersion.split("/")[0] : "";
  const kind = kinds?.find((one) => one.kind === about.kind && (one.group === group || !about.apiVersion));
  return kind ? [kind.storage, kind.namespaced ? about.namespace : "", about.name] : null;
}
