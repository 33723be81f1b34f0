// Answers and events on their way: kept in this browser until the service has them on its disk.
//
// An answer is known by its vote's id and revision, an event by its uuid, so that sending one twice changes nothing.

import { Offline, call, pause } from "./wire.js";

const RETRY_MS = [500, 1000, 2000, 4000, 8000];

export const uuid = () => {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
};

export const now = () => new Date().toISOString();

export class Outbox {
  // `changed(waiting, isOffline)` is told of every change; `conflicted(answer, current)` of answers given elsewhere.
  constructor(key, { changed, conflicted, refused }) {
    this.prefix = `study-${key}-`;
    this.told = { changed, conflicted, refused };
    this.isOffline = false;
    this.running = null;
    this.number = 0;
    window.addEventListener("online", () => this.flush());
  }

  // Entries in the order in which they were made, of every window of this browser.
  entries() {
    const names = Object.keys(localStorage).filter((name) => name.startsWith(this.prefix)).sort();
    return names.map((name) => [name, JSON.parse(localStorage.getItem(name) ?? "null")]).filter(([, entry]) => entry);
  }

  waiting() {
    return this.entries().filter(([, entry]) => entry.call === "vote").length;
  }

  vote(answer) {
    this.put({ call: "vote", body: answer });
  }

  event(name, { trial = "", value = null } = {}) {
    this.put({ call: "events", body: { events: [{ id: uuid(), name, trial, value, made_at: now() }] } });
  }

  put(entry) {
    this.number += 1;
    const place = `${Date.now().toString().padStart(15, "0")}-${String(this.number).padStart(6, "0")}-${uuid().slice(0, 8)}`;
    localStorage.setItem(this.prefix + place, JSON.stringify(entry));
    this.flush();
  }

  // Newer answers on their way, so that an older state from the service does not overwrite what is on the screen.
  pending(voteId) {
    return this.entries().map(([, entry]) => entry).filter((entry) => entry.call === "vote" && entry.body.vote === voteId).at(-1)?.body;
  }

  flush() {
    this.running ??= this.run().finally(() => (this.running = null));
    return this.running;
  }

  async run() {
    let tries = 0;
    for (;;) {
      const [first] = this.entries();
      this.told.changed(this.waiting(), this.isOffline);
      if (!first) return;
      const [name, entry] = first;
      try {
        const answer = await call(entry.call, entry.body);
        if (this.isOffline) {
          this.isOffline = false;
          this.event("online");
        }
        tries = 0;
        localStorage.removeItem(name);
        if (answer.code === "conflict") this.told.conflicted(entry.body, answer.told.error.current);
        else if (!answer.ok && entry.call === "vote") this.told.refused(answer);
      } catch (error) {
        if (!(error instanceof Offline)) throw error;
        if (!this.isOffline) {
          this.isOffline = true;
          localStorage.setItem(`${name}~`, JSON.stringify({
            call: "events",
            body: { events: [{ id: uuid(), name: "offline", made_at: now() }] },
          }));
        }
        this.told.changed(this.waiting(), true);
        await pause(RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]);
        tries += 1;
      }
    }
  }

  clear() {
    for (const [name] of this.entries()) localStorage.removeItem(name);
  }
}
