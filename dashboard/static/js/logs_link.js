// From an object to its lines on the page "Logs".
import { html } from "./lib.js";
import { objectUrl, pageUrl } from "./router.js";
import { serverNow } from "./socket.js";
import { epoch } from "./format.js";

const WORKLOADS = new Set([
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "Job",
  "CronJob",
  "ReplicaSet",
  "ReplicationController",
]);

// A value of a query: quoted unless it is a plain word.
export const quoted = (value) =>
  /^[\w][\w./-]*$/.test(value) ? value : `"${String(value).replace(/(["\\])/g, "\\$1")}"`;

function about(kind, ns, name) {
  if (kind === "Pod") return { q: `pod:${quoted(name)}`, ns };
  if (kind === "Node") return { q: `node:${quoted(name)}`, ns: "" };
  if (kind === "Namespace") return { q: "", ns: name };
  return WORKLOADS.has(kind) ? { q: `workload:${quoted(name)}`, ns } : null;
}

const stamp = (seconds) => new Date(seconds * 1000).toISOString();
const around = (from, to) => ({ from: stamp(from), to: stamp(to) });
const BEFORE = 300;
const AFTER = 60; // seconds around a moment

// From when until when something ran that runs no more; null while it runs.
function lifetime({ kind, metadata, status = {} }) {
  const failed = (status.conditions ?? []).find((one) => one.type === "Failed" && one.status === "True");
  const ended =
    kind === "Pod" && /^(Succeeded|Failed)$/.test(status.phase)
      ? [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].map(
          (one) => one.state?.terminated?.finishedAt,
        )
      : kind === "Job"
        ? [status.completionTime, failed?.lastTransitionTime]
        : [];
  const to = Math.max(0, ...ended.map(epoch));
  return to ? around(epoch(metadata.creationTimestamp) - AFTER, to + AFTER) : null;
}

// The query of the page, null for what has no lines. Of an event: those of what it is about, around it.
function queryOf(object) {
  if (object.kind !== "Event") {
    const found = about(object.kind, object.metadata.namespace ?? "", object.metadata.name);
    return found && { ...found, ...lifetime(object) };
  }
  const { kind, namespace, name } = object.involvedObject ?? object.regarding ?? {};
  const found = about(kind, namespace ?? "", name);
  const at = epoch(object.lastTimestamp ?? object.eventTime ?? object.metadata.creationTimestamp);
  return found && at ? { ...found, ...around(at - BEFORE, at + BEFORE) } : found;
}

// Of a pod that is gone nobody knows here when it was: its lines of the last day.
const GONE = ([storage, ns, name]) => storage === "pods" && { ...about("Pod", ns, name), from: "now-24h" };

export function LogsLink({ object, objectKey }) {
  const query = object?.metadata ? queryOf(object) : GONE(objectKey);
  return query
    ? html`
      <a class="quiet" href=${pageUrl("logs", { from: "now-1h", ...query })}>
        Search logs
      </a>
    `
    : null;
}

// What a pod's container said until a moment (RFC 3339), and a little after.
export const linesUrl = ([, ns, name], container, at) =>
  pageUrl("logs", {
    ns,
    q: `pod:${quoted(name)} container:${quoted(container)}`,
    ...around(epoch(at) - BEFORE, epoch(at) + AFTER),
  });

// An object's page with its charts of the quarter of an hour around a moment (RFC 3339).
export function chartsUrl(key, at) {
  const to = epoch(at) + BEFORE;
  return objectUrl(key, { range: "15m", to: to * 1000 < serverNow() ? stamp(to) : "" });
}
