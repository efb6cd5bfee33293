// Small components that all pages use.

import { _, ngettext, say } from "./i18n.js";
import { Icon } from "./icons.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { moment, number, short, since, word } from "./format.js";
import { isHeard, state, subscribe } from "./store.js";

/** Paint again whenever the store has changed. */
export function useStore() {
  const [, paint] = useState(0);
  useEffect(() => subscribe(() => paint((count) => count + 1)), []);
}

const READ_AGAIN_AFTER = 500; // what changes fast is not read at every change

/** What `read(id)` gives of a thing, again when it has changed, `every` so many milliseconds at most; or
the refusal. What is known stays while the server is away, and is read again when it is back; a thing
that is gone is a refusal. */
export function useThing(id, read, every = READ_AGAIN_AFTER) {
  const [found, setFound] = useState({ id: null });
  const reader = useRef(null);
  const version = `${state.renewed} ${state.touched.get(id) ?? 0} ${found.refusal && found.refusal.status !== 404 ? isHeard() : ""}`;
  useEffect(() => {
    const mine = { wanted: true, busy: false, again: false, version };
    mine.load = async () => {
      mine.busy = true;
      mine.again = false;
      const answer = await read(id).then((known) => ({ known }), (refusal) => ({ refusal }));
      if (!mine.wanted) return;
      setFound((old) => {
        const before = old.id === id ? old : {};
        const away = answer.refusal && answer.refusal.status !== 404 && before.known;
        return away ? before : { id, ...answer };
      });
      mine.busy = false;
      if (mine.again) mine.soon();
    };
    mine.soon = () => {
      mine.again = true;
      if (!mine.busy) mine.timer = mine.timer ?? setTimeout(() => {
        mine.timer = null;
        mine.load();
      }, every);
    };
    reader.current = mine;
    mine.load();
    return () => {
      mine.wanted = false;
      clearTimeout(mine.timer);
    };
  }, [id]);
  useEffect(() => {
    if (reader.current.version === version) return;
    reader.current.version = version;
    reader.current.soon();
  }, [version]);
  const again = () => reader.current.soon();
  return found.id === id ? { again, ...found } : { again };
}

export const Status = ({ status }) =>
  html`<span class="status ${String(status).toLowerCase()}">${word(status)}</span>`;

/** Put a text on the clipboard; without one, as over plain HTTP, by a selection. */
export async function copy(text, said = _("It has been copied.")) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr";
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  announce(said);
}

/** An id, shortened, with a button that copies it whole. */
export const Id = ({ id }) => html`<span class="id"><code title=${id}>${short(id)}</code><button type="button" class="quiet"
  aria-label=${say(_("Copy the id %(id)s"), { id: short(id) })} title=${_("Copy the id")} onClick=${() => copy(id)}><${Icon} name="copy" size="15" /></button></span>`;

export const Ago = ({ at }) =>
  at ? html`<time datetime=${at} title=${moment(at)}>${since(at)}</time>` : "–";

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

export const tasksOf = (count) =>
  say(ngettext("%(n)s task", "%(n)s tasks", count), { n: number(count) });

/** Progress, as a bar with a label for screen readers. */
export function Bar({ counts, total }) {
  const shown = ["done", "failed", "in_progress", "locked"].filter((name) => counts[name]);
  const text = shown.map((name) => `${word(name)} ${number(counts[name])}`).join(", ");
  const label = say(_("%(parts)s of %(total)s"), { parts: text || "0", total: number(total) });
  return html`<span class="bar" role="img" aria-label=${label} title=${label}>
    ${shown.map((name) => {
      const share = total ? (100 * counts[name]) / total : 0;
      return html`<i class=${name} key=${name} style=${{ width: `${share}%` }}></i>`;
    })}
  </span>`;
}

/** A line over the last hour; its label has the peak and the latest value. */
export function Spark({ points, label }) {
  const most = Math.max(...points, 0.001);
  const x = (index) => (index * 100) / Math.max(1, points.length - 1);
  const line = points
    .map((value, index) => `${index ? "L" : "M"}${x(index).toFixed(2)} ${(29 - (27 * value) / most).toFixed(2)}`)
    .join("");
  return html`<svg class="spark" viewBox="0 0 100 30" preserveAspectRatio="none" role="img" aria-label=${label}>
    <path class="area" d="${line}L100 30L0 30Z" /><path d=${line} />
  </svg>`;
}

/** A button that is disabled until the action that it began has ended. */
export function Act({ children, does, kind = "", label, disabled = false }) {
  const [busy, setBusy] = useState(false);
  const click = async () => {
    setBusy(true);
    try {
      await does();
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" class=${kind} aria-label=${label} disabled=${busy || disabled} onClick=${click}>
    ${children}
  </button>`;
}

const AFTER_CLOSING = 50;
const KEPT_FOR = 6_000;
const MOST_ANNOUNCED = 3;

/** Announce the result of an action, on screen and to screen readers, for a while.

Everything outside an open dialog is inert, so the announcement goes into the topmost dialog. */
export function announce(text) {
  setTimeout(() => {
    const line = document.createElement("p");
    line.textContent = text;
    const places = document.querySelectorAll("#announcements, dialog[open] > .announcements");
    const place = places[places.length - 1];
    while (place.children.length >= MOST_ANNOUNCED) place.firstElementChild.remove();
    place.append(line);
    setTimeout(() => line.remove(), KEPT_FOR);
  }, AFTER_CLOSING);
}

/** Arrow keys move among the controls of a list that carry `data-item`. */
export function rove(event) {
  const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
  if (!step || !event.target.dataset?.item) return;
  const items = [...event.currentTarget.querySelectorAll("[data-item]")];
  const goal = items.indexOf(event.target) + step;
  items[Math.min(items.length - 1, Math.max(0, goal))]?.focus();
  event.preventDefault();
}
