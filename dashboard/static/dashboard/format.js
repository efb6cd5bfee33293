// Numbers, times and words of the engine, as people read them.

import { _, language, say } from "./i18n.js";

const numbers = new Intl.NumberFormat(language());
const rates = new Intl.NumberFormat(language(), { maximumFractionDigits: 1 });
// `2026-01-31 12:00:00` in every language, as in the admin: it sorts as it is written.
export const timeZone = document.documentElement.dataset.timezone || undefined;
const moments = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone });
const clock = new Intl.DateTimeFormat("sv-SE", { timeStyle: "medium", timeZone });

export const number = (value) => (value === null || value === undefined ? "–" : numbers.format(value));
export const rate = (value) => rates.format(value ?? 0);
export const moment = (at) => moments.format(new Date(at));
export const time = (at) => clock.format(new Date(at));

/** What a clock in the time zone of the page shows at a moment, as `datetime-local` has it; "" at none. */
export function onClock(at) {
  const moment = new Date(at);
  return at && !Number.isNaN(moment.getTime()) ? moments.format(moment).replace(" ", "T").slice(0, 16) : "";
}

/** The moment at which a clock in the time zone of the page shows this; "" where none does. */
export function atClock(shown) {
  const asIfUtc = Date.parse(`${shown}Z`);
  if (Number.isNaN(asIfUtc)) return "";
  const away = (at) => Date.parse(`${onClock(at)}Z`) - at;
  const near = asIfUtc - away(asIfUtc);
  return new Date(asIfUtc - away(near)).toISOString(); // the offset may be another there
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return say(_("%(n)s s"), { n: whole });
  if (whole < 3600) return say(_("%(n)s min"), { n: Math.floor(whole / 60) });
  if (whole < 86400) {
    return say(_("%(h)s h %(m)s min"), {
      h: Math.floor(whole / 3600), m: Math.floor((whole % 3600) / 60),
    });
  }
  return say(_("%(n)s d"), { n: Math.floor(whole / 86400) });
}

const MOST_AWAY = 30_000; // milliseconds, which no two clocks agree better than on some networks
let ahead = 0;

/** It is this moment for the server, as it says with an answer; the clock of this browser may be another. */
export function isNow(at) {
  const away = Date.now() - Date.parse(at); // that of no date is none
  ahead = Math.abs(away) > MOST_AWAY ? away : 0;
}

/** The present time as the server has it, in milliseconds. */
export const now = () => Date.now() - ahead;

export const since = (at) => duration((now() - new Date(at)) / 1000);

export const short = (id) => (id && id.length > 12 ? id.slice(-8) : id);

const statuses = {
  __proto__: null,
  queued: () => _("queued"),
  in_progress: () => _("in progress"),
  done: () => _("done"),
  failed: () => _("failed"),
  locked: () => _("locked"),
  cancelled: () => _("cancelled"),
  running: () => _("running"),
  waiting: () => _("waiting"),
  idle: () => _("idle"),
  pending: () => _("pending"),
  completed: () => _("completed"),
  submitted: () => _("submitted"),
  cancelling: () => _("cancelling"),
  timeout: () => _("timed out"),
};

/** What the page was given: names of the coordinator's events, and why tasks fail for good. */
export const given = JSON.parse(document.getElementById("words").textContent);

export const because = (reason) => (Object.hasOwn(given.causes, reason) ? given.causes[reason] : reason);

export const word = (status) => statuses[String(status).toLowerCase()]?.() ?? String(status ?? "").toLowerCase();
