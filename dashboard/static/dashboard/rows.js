// The rows of a list: read page by page, then patched in place by the server's messages.
//
// A row that is known stays where it is, however it changes, so that nothing moves under the pointer.
// Where so much has changed that no message tells what, each is read again when it comes into sight.

import { useEffect, useRef, useState } from "./preact.js";
import { hear, isHeard } from "./store.js";

const AGAIN_AFTER = 2_000;
const MOST_AGAIN = 200; // rows that are read again at once
const TYPING = 250;

export class Rows {
  /** `read(cursor)` gives a page: its rows, and the cursor of the next; `keeps`: what messages
  do not tell of a row; `reread(ids)`: these rows as they are now, for `patch`; `steady`: what is read again
  stays in its order, and new rows come behind. */
  constructor({ read, paint, fits = () => false, keeps = [], reread = null, steady = false }) {
    Object.assign(this, { read, paint, fits, keeps, reread, steady, sight: [], renewing: false });
    this.empty();
  }

  empty() {
    Object.assign(this, { rows: [], places: new Map(), next: null, known: false, problem: null, fresh: new Set(), dry: 0, doubted: new Set() });
    this.loading = false;
    this.round = (this.round ?? 0) + 1;
  }

  /** Read the first page again; what is shown stays until it is there. `anew`: other rows are asked
  for, so that what is shown goes where they cannot be read. */
  async begin({ anew = false } = {}) {
    this.loading = true;
    this.round += 1;
    await this.take(null, this.round, anew);
  }

  async more() {
    if (this.loading || !this.next) return;
    this.loading = true;
    this.paint();
    await this.take(this.next, this.round);
  }

  async take(cursor, round, anew = false) {
    try {
      const { rows, next } = await this.read(cursor);
      if (round !== this.round) return;
      if (!cursor) {
        if (this.steady && !anew) rows.sort((one, other) => this.placeOf(one) - this.placeOf(other) || 0);
        this.empty();
      }
      this.known = true;
      this.problem = null;
      this.next = next ?? null;
      this.dry = rows.length ? 0 : this.dry + 1;
      this.add(rows);
    } catch (refusal) {
      if (round !== this.round) return;
      if (anew) this.empty();
      this.problem = refusal.message;
      this.known = true;
    }
    this.loading = false;
    this.paint();
  }

  add(rows) {
    for (const row of rows) {
      const place = this.places.get(row.id);
      if (place === undefined) {
        this.places.set(row.id, this.rows.length);
        this.rows.push(row);
      } else {
        this.rows[place] = row;
      }
    }
  }

  placeOf({ id }) {
    return this.places.get(id) ?? Infinity;
  }

  get(id) {
    return this.rows[this.places.get(id)];
  }

  /** What is empty is not told, so a row that is told is all there is. */
  changed(old, row) {
    if (row.deleted) return { ...old, deleted: true };
    const kept = Object.fromEntries(this.keeps.map((name) => [name, old[name]]));
    return { ...kept, ...row, stale: !this.fits(row) };
  }

  /** Rows as they are now: those that are shown change, others are counted if they belong here. */
  patch(changed) {
    for (const row of changed) {
      const place = this.places.get(row.id);
      if (place !== undefined) this.rows[place] = this.changed(this.rows[place], row);
      else if (!row.deleted && this.fits(row)) this.fresh.add(row.id);
    }
  }

  /** These rows are in sight. */
  show(ids) {
    this.sight = ids;
    this.renew();
  }

  /** Each row may be another by now, and nothing tells which. */
  doubt() {
    this.doubted = new Set(this.places.keys());
    this.renew();
  }

  /** Read again what is in sight and in doubt. */
  async renew() {
    const ids = this.sight.filter((id) => this.doubted.has(id)).slice(0, MOST_AGAIN);
    if (!ids.length || !this.reread || this.renewing) return;
    this.renewing = true;
    const { round } = this;
    const found = await this.reread(ids).catch(() => null);
    this.renewing = false;
    if (!found || round !== this.round) return; // in doubt until something else comes into sight
    for (const id of ids) this.doubted.delete(id);
    this.patch(found);
    this.paint();
    this.renew();
  }
}

/** The rows of what `read` reads, read again whenever `key` is another: what is asked for, but not
when, since a time would be another at each look.

Where nothing tells what has changed, or `version` is another, all is read again; with `reread`, the
rows in sight. */
export function useRows({ read, key, kind, fits, keeps, reread, steady, version = "" }) {
  const [, paint] = useState(0);
  const list = useRef(null);
  list.current ??= new Rows({ keeps, reread, steady, paint: () => paint((count) => count + 1) });
  Object.assign(list.current, { read, fits: fits ?? (() => true) });
  const seen = useRef(null);
  const soon = useRef(null);
  const again = () => {
    soon.current ??= setTimeout(() => {
      soon.current = null;
      if (reread) list.current.doubt();
      else list.current.begin();
    }, AGAIN_AFTER);
  };
  useEffect(() => {
    const timer = setTimeout(() => list.current.begin({ anew: true }), seen.current === null ? 0 : TYPING);
    seen.current ??= version;
    return () => clearTimeout(timer);
  }, [key]);
  useEffect(() => {
    if (seen.current !== version) again();
    seen.current = version;
  }, [version]);
  const heard = isHeard();
  useEffect(() => {
    if (heard && list.current.problem) list.current.begin(); // the server was away
  }, [heard]);
  useEffect(() => {
    const stop = kind ? hear((message) => {
      list.current.patch(message[kind] ?? []);
      if (message.stale?.includes(kind)) again();
    }) : () => {};
    return () => {
      stop();
      clearTimeout(soon.current);
      soon.current = null;
    };
  }, [kind]);
  return list.current;
}
