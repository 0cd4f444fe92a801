// From an object to its lines on the page "Logs".
import { html } from "./lib.js";
import { pageUrl } from "./router.js";
import { epoch } from "./format.js";

const WORKLOADS = new Set(["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "ReplicationController"]);

// A value of a query: quoted unless it is a plain word.
export const quoted = (value) => (/^[\w][\w./-]*$/.test(value) ? value : `"${String(value).replace(/(["\\])/g, "\\$1")}"`);

function about(kind, ns, name) {
  if (kind === "Pod") return { q: `pod:${quoted(name)}`, ns };
  if (kind === "Node") return { q: `node:${quoted(name)}`, ns: "" };
  if (kind === "Namespace") return { q: "", ns: name };
  return WORKLOADS.has(kind) ? { q: `workload:${quoted(name)}`, ns } : null;
}

// The query of the page, null for what has no lines. Of an event: those of what it is about, five minutes around it.
function queryOf(object) {
  if (object.kind !== "Event") return about(object.kind, object.metadata.namespace ?? "", object.metadata.name);
  const { kind, namespace, name } = object.involvedObject ?? object.regarding ?? {};
  const found = about(kind, namespace ?? "", name);
  const at = epoch(object.lastTimestamp ?? object.eventTime ?? object.metadata.creationTimestamp);
  if (!found || !at) return found;
  return { ...found, from: new Date((at - 300) * 1000).toISOString(), to: new Date((at + 300) * 1000).toISOString() };
}

export function LogsLink({ object }) {
  const query = object?.metadata && queryOf(object);
  return query ? html`<a class="quiet" href=${pageUrl("logs", { from: "now-1h", ...query })}>Search logs</a>` : null;
}
