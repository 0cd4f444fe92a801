// The live connection: one socket, many feeds. It connects again by itself, resumes lists from the revision they have,
// and knows how old everything is: the server beats once a second, and silence is noticed.
import { signal, computed, effect } from "./lib.js";
import { ROOT, TICKET, route } from "./router.js";

const SILENCE = 3200; // milliseconds without a beat until the page says that it is not live
const FIRST_WAIT = 250;
const LONGEST_WAIT = 8000;

export const link = signal({ state: "connecting", since: Date.now(), health: null, attempt: 0 });
export const hello = signal(null);
export const clock = signal(Date.now()); // ticks each second, in the server's time
let skew = 0; // server minus browser, milliseconds
let lastHeard = 0; // performance.now() of the last frame
let socket = null;
let timer = 0;
let attempt = 0;
let nextId = 1;
const feeds = new Map();
const questions = new Map();

export const serverNow = () => Date.now() + skew;

// Seconds since the last word from the server; 0 while live.
export const age = computed(() => {
  clock.value;
  return link.value.state === "live" ? 0 : Math.max(0, (performance.now() - lastHeard) / 1000);
});

function socketUrl(path, params = {}) {
  const url = new URL(`c/${encodeURIComponent(route.value.cluster)}/${path}`, ROOT);
  url.protocol = url.protocol.replace("http", "ws");
  for (const [name, value] of Object.entries(params)) if (value) url.searchParams.set(name, value);
  return url.href;
}

// The ticket goes as a subprotocol: a query would end up in access logs.
export const openSocket = (path, params) => new WebSocket(socketUrl(path, params), ["binnacle", `ticket.${TICKET}`]);

function setState(state, extra = {}) {
  const now = link.value;
  if (now.state !== state || Object.keys(extra).length) {
    link.value = { ...now, ...extra, state, since: now.state === state ? now.since : Date.now() };
  }
}

function connect() {
  clearTimeout(timer);
  const mine = openSocket("live");
  socket = mine;
  mine.onopen = () => {
    for (const feed of feeds.values()) ask(feed);
  };
  mine.onmessage = (event) => {
    if (mine === socket) received(JSON.parse(event.data));
  };
  mine.onclose = (event) => {
    if (mine === socket) lost(event.code);
  };
}

function lost(code) {
  socket = null;
  for (const [id, question] of questions) {
    questions.delete(id);
    question.reject(new Error("the connection was lost"));
  }
  if (code === 4401) {
    setState("loggedout");
    return;
  }
  if (code === 4404) {
    setState("nocluster");
    return;
  }
  setState("lost", { attempt: ++attempt });
  const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(attempt, 6)) * (0.5 + Math.random() / 2);
  timer = setTimeout(connect, wait);
}

function received(frame) {
  lastHeard = performance.now();
  if (frame.t === "beat" || frame.t === "hello") {
    skew = frame.now * 1000 - Date.now();
    attempt = 0;
    setState("live", { health: frame.health, attempt: 0 });
    if (frame.t === "hello") hello.value = frame;
    // Nothing waits up to `rev`: lists may resume from there, however long ago their last row changed.
    else if (frame.rev)
      for (const feed of feeds.values()) feed.rev = Math.max(feed.rev ?? 0, feed.whole ? frame.rev : 0);
    return;
  }
  if (frame.t === "answer" || (frame.t === "error" && questions.has(frame.id))) return answered(frame);
  const feed = feeds.get(frame.id);
  if (!feed) return;
  if (frame.t === "delta") feed.rev = Math.max(feed.rev ?? 0, frame.rev);
  if (frame.t === "rows") {
    feed.whole = !frame.more;
    if (feed.whole) feed.rev = frame.rev;
    else feed.rev = 0;
  }
  feed.take(frame);
}

function answered(frame) {
  const question = questions.get(frame.id);
  questions.delete(frame.id);
  if (frame.t === "error") question?.reject(new Error(frame.message));
  else question?.resolve(frame.found);
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function ask(feed) {
  send({ op: "sub", id: feed.id, ...feed.ask, since: feed.whole && feed.rev ? feed.rev : undefined });
}

// Ask the server to keep `take` informed; returns what ends it. `wanted` is {feed, …} as dashboard/feeds.py takes it.
export function subscribe(wanted, take) {
  const feed = { id: nextId++, ask: wanted, take, rev: 0, whole: false };
  feeds.set(feed.id, feed);
  ask(feed);
  return () => {
    feeds.delete(feed.id);
    send({ op: "unsub", id: feed.id });
  };
}

// Ask once; a promise of the answer.
export function question(op, fields) {
  return new Promise((resolve, reject) => {
    if (socket?.readyState !== WebSocket.OPEN) {
      reject(new Error("not connected"));
      return;
    }
    const id = nextId++;
    questions.set(id, { resolve, reject });
    send({ op, id, ...fields });
  });
}

function tick() {
  clock.value = serverNow();
  if (link.value.state === "live" && performance.now() - lastHeard > SILENCE) {
    setState("lost");
    const silent = socket;
    socket = null;
    if (silent) {
      silent.onclose = null;
      silent.close();
    }
    lost(0);
  }
}

export function start() {
  lastHeard = performance.now();
  setInterval(tick, 1000);
  let cluster = null;
  effect(() => {
    const now = route.value.cluster;
    if (now === cluster) return;
    cluster = now;
    const old = socket;
    socket = null;
    if (old) {
      old.onclose = null;
      old.close();
    }
    for (const feed of feeds.values()) {
      feed.rev = 0;
      feed.whole = false;
    }
    connect();
  });
  // A laptop that wakes up, or a network that comes back, should not wait for the back-off to end.
  addEventListener("online", () => {
    if (!socket) connect();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !socket && link.value.state === "lost") connect();
  });
}
