// What is worth knowing of each kind beyond what every object has. `factsOf` are name-value pairs, `Specifics` panels.
import { html } from "../lib.js";
import { objectUrl } from "../router.js";
import { clock } from "../socket.js";
import { cellText, epoch } from "../format.js";
import { Age, Facts, Labels, ObjectLink, Panel } from "../parts.js";

const list = (values) => (values ?? []).filter(Boolean).join(", ");
const pairs = (map) =>
  Object.entries(map ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
const link = (storage, ns, name) => name && html`<${ObjectLink} to=${[storage, ns, name]} />`;

const OWN = {
  pods: (o) => [
    ["Node", link("nodes", "", o.spec.nodeName)],
    ["Pod IPs", list(o.status?.podIPs?.map((one) => one.ip)) || o.status?.podIP],
    ["QoS class", o.status?.qosClass],
    ["Service account", link("serviceaccounts", o.metadata.namespace, o.spec.serviceAccountName)],
    ["Restart policy", o.spec.restartPolicy],
    ["Priority class", o.spec.priorityClassName],
    ["Node selector", pairs(o.spec.nodeSelector)],
    ["Host network", o.spec.hostNetwork && "yes"],
    ["Message", o.status?.message, "all"],
  ],
  nodes: (o) => [
    ["Addresses", list(o.status?.addresses?.map((one) => `${one.address} (${one.type})`))],
    ["Pod CIDR", o.spec?.podCIDR],
    ["Unschedulable", o.spec?.unschedulable && "yes"],
    [
      "System",
      list([o.status?.nodeInfo?.osImage, o.status?.nodeInfo?.kernelVersion, o.status?.nodeInfo?.architecture]),
    ],
    ["Runtime", o.status?.nodeInfo?.containerRuntimeVersion],
    ["Taints", list(o.spec?.taints?.map((one) => `${one.key}${one.value ? `=${one.value}` : ""}:${one.effect}`))],
  ],
  services: (o) => [
    ["Type", o.spec.type],
    ["Cluster IPs", list(o.spec.clusterIPs) || o.spec.clusterIP],
    ["Selector", pairs(o.spec.selector)],
    ["Session affinity", o.spec.sessionAffinity !== "None" && o.spec.sessionAffinity],
    ["External name", o.spec.externalName],
    ["Load balancer", list(o.status?.loadBalancer?.ingress?.map((one) => one.ip ?? one.hostname))],
  ],
  "deployments.apps": (o) => [
    ["Strategy", o.spec.strategy?.type],
    ["Max surge", o.spec.strategy?.rollingUpdate?.maxSurge],
    ["Max unavailable", o.spec.strategy?.rollingUpdate?.maxUnavailable],
    ["Replicas", replicas(o)],
    ["Paused", o.spec.paused && "yes"],
    ["Revision", o.metadata.annotations?.["deployment.kubernetes.io/revision"]],
  ],
  "jobs.batch": (o) => [
    ["Completions", o.spec.completions],
    ["Parallelism", o.spec.parallelism],
    ["Back-off limit", o.spec.backoffLimit],
    ["Started", o.status?.startTime && html`<${Age} at=${o.status.startTime} suffix=" ago" />`],
  ],
};

const replicas = (o) =>
  `${o.status?.readyReplicas ?? 0} ready, ${o.status?.updatedReplicas ?? 0} current, ${o.spec.replicas ?? 1} wanted`;

// Printer columns that the kinds above say elsewhere on the page, or under another name.
const SHOWN = new Set([
  "ready",
  "status",
  "nominated node",
  "readiness gates",
  "containers",
  "images",
  "labels",
  "ip",
  "node",
  "selector",
  "ip address",
  "cluster-ip",
  "data",
]);

// The kind's own facts, then its printer columns that are not among them.
export function factsOf(storage, object, columns) {
  const own = (OWN[storage]?.(object) ?? []).filter(([, value]) => value);
  const known = new Set(own.map(([name]) => name.toLowerCase().replace(/s$/, "")));
  const says = ([name, cell]) => {
    if (cell === null || cell === "" || known.has(name.toLowerCase().replace(/s$/, ""))) return false;
    return !(OWN[storage] && SHOWN.has(name.toLowerCase()));
  };
  return [...own, ...columns.filter(says).map(([name, cell]) => [name, cellText(cell, clock.value)])];
}

export function Specifics({ storage, object, objectKey }) {
  const spec = object.spec ?? {};
  if (storage === "pods")
    return html`
      <${Containers} pod=${object} objectKey=${objectKey} />
      <${Volumes} pod=${object} />
    `;
  if (storage === "nodes") return html`<${Capacity} node=${object} />`;
  if (storage === "services") return html`<${Ports} ports=${spec.ports ?? []} />`;
  if (storage === "configmaps" || storage === "secrets") return html`<${Data} object=${object} />`;
  if (storage.endsWith("roles.rbac.authorization.k8s.io")) return html`<${Rules} rules=${object.rules ?? []} />`;
  if (storage.endsWith("rolebindings.rbac.authorization.k8s.io")) return html`<${Subjects} object=${object} />`;
  const template = spec.template ?? spec.jobTemplate?.spec?.template;
  return template?.spec?.containers ? html`<${Template} spec=${template.spec} />` : null;
}

function stateOf(status) {
  const [name, detail] = Object.entries(status?.state ?? {})[0] ?? ["", {}];
  if (name === "running")
    return {
      level: status.ready ? "ok" : "progress",
      text: html`running for <${Age} at=${epoch(detail.startedAt)} />`,
    };
  if (name === "terminated")
    return {
      level: detail.exitCode ? "bad" : "done",
      text: `${detail.reason || "ended"}, exit code ${detail.exitCode}`,
    };
  if (name === "waiting")
    return {
      level: /^(ContainerCreating|PodInitializing)$/.test(detail.reason) ? "progress" : "bad",
      text: detail.reason || "waiting",
    };
  return { level: "none", text: "not started" };
}

function Containers({ pod, objectKey }) {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const rows = [
    ...(pod.spec.initContainers ?? []).map((c) => [c, true]),
    ...pod.spec.containers.map((c) => [c, false]),
  ];
  return html`
    <${Panel} title="Containers" count=${rows.length}>
      ${rows.map(
        ([container, init]) => html`
          <${Container}
            key=${container.name}
            container=${container}
            init=${init}
            status=${statuses.find((one) => one.name === container.name)}
            objectKey=${objectKey}
          />
        `,
      )}
    <//>
  `;
}

function Container({ container, init, status, objectKey }) {
  const state = stateOf(status);
  const last = status?.lastState?.terminated;
  const amount = (kind) => pairs(container.resources?.[kind]);
  return html`
    <div class="container">
      <h3>
        <span class="dot ${state.level}"></span>
        ${container.name}
        ${init && html`<span class="tag none">init</span>`}
        <span class="tone ${state.level}">${state.text}</span>
        <span class="right">
          ${
            status?.restartCount > 0 &&
            html`
              <span class="dim">
                ${status.restartCount} ${status.restartCount === 1 ? "restart" : "restarts"}${" "}
              </span>
            `
          }
          <a href=${objectUrl(objectKey, { tab: "log", container: container.name })}>Log</a>
        </span>
      </h3>
      <${Facts}
        rows=${[
          ["Image", html`<code>${container.image}</code>`],
          [
            "Last end",
            last &&
              html`
                ${last.reason || "ended"}, exit code ${last.exitCode},${" "}
                <${Age} at=${epoch(last.finishedAt)} suffix=" ago" />
              `,
          ],
          ["Message", status?.state?.waiting?.message ?? status?.state?.terminated?.message, "all"],
          command(container),
          [
            "Ports",
            list(
              container.ports?.map(
                (port) => `${port.containerPort}/${port.protocol ?? "TCP"}${port.name ? ` ${port.name}` : ""}`,
              ),
            ),
          ],
          ["Requests", amount("requests")],
          ["Limits", amount("limits")],
          [
            "Probes",
            list(
              ["startup", "readiness", "liveness"]
                .filter((name) => container[`${name}Probe`])
                .map((name) => `${name} (${probe(container[`${name}Probe`])})`),
            ),
          ],
        ]}
      />
      ${
        container.env?.length > 0 &&
        html`
          <details>
            <summary class="dim">Environment ${container.env.length}</summary>
            <table class="plain env">
              <tbody>
                ${container.env.map(
                  (one) => html`
                    <tr key=${one.name}>
                      <td>
                        <code>${one.name}</code>
                      </td>
                      <td>
                        <code>${one.value ?? from(one.valueFrom)}</code>
                      </td>
                    </tr>
                  `,
                )}
              </tbody>
            </table>
          </details>
        `
      }
    </div>
  `;
}

const command = ({ command = [], args = [] }) => [
  "Command",
  command.length + args.length
    ? html`<code class="command">${[...command, ...args].join(" ").slice(0, 2_000)}</code>`
    : "",
  "all",
];

function probe({ httpGet, tcpSocket, grpc }) {
  if (httpGet) return `GET ${httpGet.path ?? "/"} :${httpGet.port}`;
  if (tcpSocket) return `TCP :${tcpSocket.port}`;
  return grpc ? `gRPC :${grpc.port}` : "exec";
}

// Where a variable's value comes from.
function from({ secretKeyRef: secret, configMapKeyRef: config, fieldRef: field, resourceFieldRef: resource } = {}) {
  if (secret) return `Secret ${secret.name}: ${secret.key}`;
  if (config) return `ConfigMap ${config.name}: ${config.key}`;
  return field?.fieldPath ?? resource?.resource ?? "";
}

function Volumes({ pod }) {
  if (!pod.spec.volumes?.length) return null;
  const kind = (volume) => Object.keys(volume).find((name) => name !== "name") ?? "";
  const { namespace } = pod.metadata;
  const to = ({ configMap, secret, persistentVolumeClaim, hostPath }) => {
    if (configMap) return link("configmaps", namespace, configMap.name);
    if (secret) return link("secrets", namespace, secret.secretName);
    if (persistentVolumeClaim) return link("persistentvolumeclaims", namespace, persistentVolumeClaim.claimName);
    return hostPath?.path ?? "";
  };
  return html`
    <${Panel} title="Volumes" count=${pod.spec.volumes.length}>
      <table class="plain">
        <tbody>
          ${pod.spec.volumes.map(
            (volume) => html`
              <tr key=${volume.name}>
                <td>${volume.name}</td>
                <td class="dim">${kind(volume)}</td>
                <td>${to(volume)}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    <//>
  `;
}

function Capacity({ node }) {
  const { capacity = {}, allocatable = {} } = node.status ?? {};
  return html`
    <${Panel} title="Capacity">
      <table class="plain">
        <thead>
          <tr>
            <th>Resource</th>
            <th class="numeric">Capacity</th>
            <th class="numeric">Allocatable</th>
          </tr>
        </thead>
        <tbody>
          ${Object.keys(capacity).map(
            (name) => html`
              <tr key=${name}>
                <td>${name}</td>
                <td class="numeric">${capacity[name]}</td>
                <td class="numeric">${allocatable[name]}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    <//>
  `;
}

const Ports = ({ ports }) => html`
  <${Panel} title="Ports" count=${ports.length}>
    <table class="plain">
      <thead>
        <tr>
          <th>Name</th>
          <th>Port</th>
          <th>Target</th>
          <th>Node port</th>
          <th>Protocol</th>
        </tr>
      </thead>
      <tbody>
        ${ports.map(
          (port) => html`
            <tr key=${`${port.port}/${port.protocol}`}>
              <td>${port.name ?? "–"}</td>
              <td>${port.port}</td>
              <td>${port.targetPort}</td>
              <td>${port.nodePort ?? "–"}</td>
              <td>${port.protocol}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  <//>
`;

function Data({ object }) {
  const entries = Object.entries({ ...object.data, ...object.binaryData });
  const short = ([, value]) => value.length <= 120 && !value.includes("\n");
  const rows = entries.filter((entry) => !short(entry));
  return html`
    <${Panel} title="Data" count=${entries.length}>
      ${entries.length === 0 && html`<p class="empty">It holds no keys.</p>`}
      <table class="plain">
        <tbody>
          ${entries.filter(short).map(
            ([name, value]) => html`
              <tr key=${name}>
                <td class="fit">
                  <code>${name}</code>
                </td>
                <td>
                  <code>${value || html`<span class="dim">empty</span>`}</code>
                </td>
              </tr>
            `,
          )}
        </tbody>
      </table>
      ${rows.map(
        ([name, value]) => html`
          <details key=${name} class="data" open=${rows.length <= 4}>
            <summary>
              <code>${name}</code>
            </summary>
            <pre class="code">${String(value).slice(0, 20_000)}</pre>
          </details>
        `,
      )}
    <//>
  `;
}

const Rules = ({ rules }) => html`
  <${Panel} title="Rules" count=${rules.length}>
    <table class="plain">
      <thead>
        <tr>
          <th>Verbs</th>
          <th>Resources</th>
          <th>Groups</th>
          ${rules.some((rule) => rule.resourceNames) && html`<th>Names</th>`}
        </tr>
      </thead>
      <tbody>
        ${rules.map(
          (rule, i) => html`
            <tr key=${i}>
              <td class="fit">${list(rule.verbs)}</td>
              <td>${list(rule.resources ?? rule.nonResourceURLs)}</td>
              <td class="dim fit">${list((rule.apiGroups ?? []).map((group) => group || "core"))}</td>
              ${rules.some((one) => one.resourceNames) && html`<td>${list(rule.resourceNames)}</td>`}
            </tr>
          `,
        )}
      </tbody>
    </table>
  <//>
`;

const Subjects = ({ object }) => html`
  <${Panel} title="Who" count=${object.subjects?.length ?? 0}>
    <p>
      Role${" "}
      <b>
        ${object.roleRef?.kind} ${object.roleRef?.name}
      </b>
    </p>
    <table class="plain">
      <tbody>
        ${(object.subjects ?? []).map(
          (one, i) => html`
            <tr key=${i}>
              <td class="dim">${one.kind}</td>
              <td>
                ${one.namespace ? `${one.namespace}/` : ""}
                ${one.name}
              </td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  <//>
`;

const Template = ({ spec }) => html`
  <${Panel} title="Pod template">
    ${spec.containers.map(
      (container) => html`
        <div class="container" key=${container.name}>
          <h3>${container.name}</h3>
          <${Facts}
            rows=${[
              ["Image", html`<code>${container.image}</code>`],
              command(container),
              ["Requests", pairs(container.resources?.requests)],
              ["Limits", pairs(container.resources?.limits)],
              ["Ports", list(container.ports?.map((port) => `${port.containerPort}/${port.protocol ?? "TCP"}`))],
            ]}
          />
        </div>
      `,
    )}
    ${spec.nodeSelector && html`<${Labels} pairs=${spec.nodeSelector} />`}
  <//>
`;
