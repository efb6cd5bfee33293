// One connection to the server: WebSocket, else server-sent events, else polling.
// Each goes on after the last cursor, so nothing is lost between them.

import { get, query, signIn } from "./api.js";
import { now } from "./format.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;
const OFFLINE_AFTER = 10_000;
const POLL_EVERY = 3_000;
const SILENT_FOR = 45_000;
const TRY_BETTER_AFTER = 60_000;

export class Live {
  /** `heard(message)`; `changed(state, since)`; `lost()`: the cursor cannot be used any more. */
  constructor({ heard, changed, lost }) {
    Object.assign(this, { heard, changed, lost });
    this.cursor = null;
    this.round = 0; // of all attempts under way, only the latest counts
    this.failures = 0;
    this.brokenAt = null;
    addEventListener("online", () => this.again());
    addEventListener("pagehide", () => this.stop());
    addEventListener("pageshow", (event) => event.persisted && this.again());
  }

  start(cursor) {
    this.cursor = cursor;
    this.again();
  }

  stop() {
    this.round += 1;
    clearTimeout(this.timer);
    this.close?.();
    this.close = null;
  }

  again() {
    this.stop();
    if (this.cursor !== null) this.byWebSocket(this.round);
  }

  later(action, wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(action, wait);
  }

  report(state) {
    this.changed(state, this.brokenAt);
  }

  works(state) {
    this.failures = 0;
    this.brokenAt = null;
    this.report(state);
  }

  take(message) {
    this.cursor = message.cursor ?? this.cursor;
    this.lastHeard = Date.now();
    this.heard(message);
  }

  /** Wait, longer each time; at the second failure ask whether only this transport is blocked. */
  async failed(round, next, again = this.failures % 2 === 1) {
    if (round !== this.round) return;
    this.stop();
    const mine = this.round;
    this.failures += 1;
    this.brokenAt ??= now();
    this.report(now() - this.brokenAt > OFFLINE_AFTER ? "offline" : "reconnecting");
    if (next && again) {
      try {
        this.take(await get(query("/console/changes", { cursor: this.cursor })));
        if (mine === this.round) next(mine);
        return;
      } catch (refusal) {
        if (mine !== this.round) return;
        if (refusal.status === 400) return this.lost();
        if (refusal.status === 403) return this.report("refused");
      }
    }
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(this.failures, 6));
    this.later(() => this.again(), wait * (0.5 + Math.random() / 2));
  }

  byWebSocket(round) {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const path = query("/console/live", { cursor: this.cursor });
    const socket = new WebSocket(`${scheme}://${location.host}${path}`);
    this.close = () => socket.close();
    if (!this.brokenAt) this.report("reconnecting");
    socket.onmessage = ({ data }) => {
      if (round !== this.round) return;
      this.works("live");
      this.take(JSON.parse(data));
      this.watch(round);
    };
    socket.onclose = ({ code }) => {
      if (round !== this.round) return;
      if (code === 4400) this.lost();
      else if (code === 4401) signIn();
      else if (code === 4403) this.report("refused");
      else if (code === 4503) this.byEvents(round);
      else this.failed(round, (mine) => this.byEvents(mine));
    };
  }

  byEvents(round) {
    const source = new EventSource(query("/console/stream", { cursor: this.cursor }));
    this.close = () => source.close();
    let opened = false;
    source.onopen = () => {
      opened = true;
      if (round === this.round) this.works("stream");
    };
    source.onmessage = ({ data }) => {
      if (round !== this.round) return;
      this.take(JSON.parse(data));
    };
    source.onerror = () => {
      source.close();
      this.failed(round, (mine) => this.byPolling(mine), !opened);
    };
    this.later(() => this.again(), TRY_BETTER_AFTER);
  }

  async byPolling(round, until = Date.now() + TRY_BETTER_AFTER) {
    try {
      const message = await get(query("/console/changes", { cursor: this.cursor }));
      if (round !== this.round) return;
      this.works("polling");
      this.take(message);
    } catch {
      this.failed(round, null);
      return;
    }
    if (Date.now() > until) this.again();
    else this.later(() => this.byPolling(round, until), POLL_EVERY);
  }

  /** A socket can be dead unnoticed; after a long silence the page asks the server. */
  watch(round) {
    this.later(async () => {
      const before = this.cursor;
      try {
        const message = await get(query("/console/changes", { cursor: before }));
        if (round !== this.round) return;
        const missed = message.cursor !== before && before === this.cursor;
        this.take(message);
        if (missed) this.again();
        else this.watch(round);
      } catch {
        this.failed(round, null);
      }
    }, SILENT_FOR);
  }
}
