// The page's own connection to the log store: questions and one live tail, on a socket that is opened when it is
// needed.
import { openSocket } from "../../socket.js";

const PATIENCE = 12_000;
const RETRY = 1_500;

class Problem extends Error {
  constructor(frame) {
    super(frame.message);
    Object.assign(this, { why: frame.why ?? "", column: frame.column ?? null, length: frame.length ?? 1 });
  }
}

export class Store {
  constructor() {
    this.next = 1;
    this.waiting = new Map();
    this.tail = null;
    this.closed = false;
    this.opening = null;
  }

  open() {
    this.opening ??= new Promise((resolve, reject) => {
      const socket = openSocket("logsearch");
      this.socket = socket;
      socket.onopen = () => resolve(socket);
      socket.onmessage = (event) => this.heard(JSON.parse(event.data));
      socket.onclose = (event) => {
        reject(new Problem({ why: "away", message: "The connection to the dashboard is lost." }));
        this.lost(event.code);
      };
    });
    return this.opening;
  }

  heard(frame) {
    if (frame.t === "tail") {
      if (frame.id === this.tail?.id) this.tail.take(frame);
      return;
    }
    const waiting = this.waiting.get(frame.id);
    if (!waiting) {
      if (frame.t === "error" && frame.id === this.tail?.id) this.tail.take(frame);
      return;
    }
    this.waiting.delete(frame.id);
    clearTimeout(waiting.timer);
    if (frame.t === "error") waiting.reject(new Problem(frame));
    else waiting.resolve(frame.found);
  }

  lost(code) {
    this.opening = null;
    const message = code === 4401 ? "Your session has ended." : "The connection to the dashboard is lost.";
    for (const [id, { reject, timer }] of this.waiting) {
      clearTimeout(timer);
      this.waiting.delete(id);
      reject(new Problem({ why: "away", message }));
    }
    if (this.closed || !this.tail) return;
    this.tail.take({ message, why: "away" });
    if (code !== 4401) setTimeout(() => this.resume(), RETRY * (0.8 + Math.random() * 0.4));
  }

  async ask(op, fields) {
    const socket = await this.open();
    return new Promise((resolve, reject) => {
      const id = this.next++;
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new Problem({ why: "away", message: `No answer for ${PATIENCE / 1000} s.` }));
      }, PATIENCE);
      this.waiting.set(id, { resolve, reject, timer });
      socket.send(JSON.stringify({ op, id, ...fields }));
    });
  }

  // Lines as they come, to `take`; returns what ends it.
  follow(fields, take) {
    const tail = { id: this.next++, fields, take };
    this.tail = tail;
    this.resume();
    return () => {
      if (this.tail === tail) this.tail = null;
      if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ op: "stop", id: tail.id }));
    };
  }

  async resume() {
    const tail = this.tail;
    if (!tail || this.closed) return;
    try {
      const socket = await this.open();
      if (tail === this.tail) socket.send(JSON.stringify({ op: "tail", id: tail.id, ...tail.fields }));
    } catch (error) {
      tail.take({ message: error.message, why: "away" });
    }
  }

  close() {
    this.closed = true;
    this.tail = null;
    this.socket?.close();
  }
}
