// Videos and pictures fetched whole, ahead of time: playing never waits, also without a network.

import { Offline, pause } from "./wire.js";

const KEPT = 60;
const RETRY_MS = 1500;

export class Missing extends Error {}

export class MediaShelf {
  constructor() {
    this.found = new Map();
  }

  // An address that plays at once. Throws Missing when the service has no such file any more.
  get(address) {
    if (!this.found.has(address)) {
      const coming = fetchWhole(address);
      coming.catch(() => this.found.delete(address));
      this.found.set(address, coming);
      this.makeRoom();
    }
    return this.found.get(address);
  }

  ahead(trials) {
    for (const trial of trials) for (const panel of trial.panels) if (panel.media) this.get(panel.media).catch(() => null);
  }

  makeRoom() {
    for (const address of this.found.keys()) {
      if (this.found.size <= KEPT) return;
      const old = this.found.get(address);
      this.found.delete(address);
      old.then((url) => URL.revokeObjectURL(url)).catch(() => null);
    }
  }
}

async function fetchWhole(address) {
  for (;;) {
    try {
      const answer = await fetch(address, { credentials: "same-origin" });
      if (answer.ok) return URL.createObjectURL(await answer.blob());
      if (answer.status !== 429 && answer.status < 500) throw new Missing(address);
      await pause(1000 * Number(answer.headers.get("retry-after") ?? 1));
    } catch (error) {
      if (error instanceof Missing || error instanceof Offline) throw error;
      await pause(RETRY_MS);
    }
  }
}
