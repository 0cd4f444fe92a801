// Feeds as hooks: a document that follows the cluster, and the rows of a list.
import { signal, useEffect, useMemo } from "./lib.js";
import { subscribe } from "./socket.js";

// {doc, error}: doc is undefined until the first answer, null when there is no such thing.
export function useDoc(wanted) {
  const name = JSON.stringify(wanted);
  const found = useMemo(() => signal({ doc: undefined, error: null }), [name]);
  useEffect(
    () =>
      wanted &&
      subscribe(wanted, (frame) => {
        if (frame.t === "doc") found.value = { doc: frame.doc, error: null };
        else if (frame.t === "error") found.value = { doc: undefined, error: frame };
      }),
    [name],
  );
  return found;
}

// What a name sorts by: web-2 before web-10.
const ordered = (name) => name.replace(/\d+/g, (digits) => digits.padStart(10, "0"));

// A row as the page keeps it; see dashboard/rows.py for how it arrives.
function unpack(raw, storages) {
  const [place, ns, name, level, reason, created, cells, amounts] = raw;
  return {
    id: `${place}/${ns}/${name}`,
    key: [storages[place], ns, name],
    ns,
    name,
    level,
    reason,
    created,
    cells,
    amounts,
    order: ordered(name),
    fresh: 0,
    text: null,
  };
}

export class List {
  constructor() {
    this.rows = new Map();
    this.columns = [];
    this.storages = [];
    this.total = 0;
    this.error = null;
    this.loading = true;
    this.version = signal(0);
    this.scheduled = false;
  }

  take(frame) {
    if (frame.t === "error") {
      this.error = frame;
      this.loading = false;
    } else if (frame.t === "rows") this.fill(frame);
    else if (frame.t === "delta") this.change(frame);
    this.announce();
  }

  fill(frame) {
    if (frame.first) {
      this.rows = new Map();
      this.columns = frame.columns;
      this.storages = frame.storages;
      this.error = null;
    }
    for (const raw of frame.rows) {
      const row = unpack(raw, this.storages);
      this.rows.set(row.id, row);
    }
    this.total = frame.total;
    this.loading = frame.more;
  }

  change(frame) {
    const now = performance.now();
    for (const raw of frame.rows) {
      const row = unpack(raw, this.storages);
      row.fresh = now;
      this.rows.set(row.id, row);
    }
    for (const [place, ns, name] of frame.gone) this.rows.delete(`${place}/${ns}/${name}`);
    this.total = this.rows.size;
    this.loading = false;
    this.error = null;
  }

  // At most one rendering per frame, however fast changes come; a hidden tab renders not at all until it is seen.
  announce() {
    if (this.scheduled) return;
    this.scheduled = true;
    const run = () => {
      this.scheduled = false;
      this.version.value++;
    };
    if (document.hidden) setTimeout(run, 250);
    else requestAnimationFrame(run);
  }
}

export function useList(wanted) {
  const name = JSON.stringify(wanted);
  const list = useMemo(() => new List(), [name]);
  useEffect(() => subscribe(wanted, (frame) => list.take(frame)), [name]);
  return list;
}
