// Numbers, times and words of the engine, as people read them.

import { _, language, say } from "./i18n.js";

const numbers = new Intl.NumberFormat(language());
const rates = new Intl.NumberFormat(language(), { maximumFractionDigits: 1 });
const moments = new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(language(), {
  hour: "2-digit", minute: "2-digit", second: "2-digit",
});

export const number = (value) => (value === null || value === undefined ? "–" : numbers.format(value));
export const rate = (value) => rates.format(value ?? 0);
export const moment = (at) => moments.format(new Date(at));
export const time = (at) => clock.format(new Date(at));

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

export const since = (at) => duration((Date.now() - new Date(at)) / 1000);

export const short = (id) => (id && id.length > 12 ? id.slice(-8) : id);

const statuses = {
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

const letters = {
  exhausted: () => _("no attempts left"),
  not_retriable: () => _("failed for good"),
  lease_expired: () => _("not renewed in time"),
  agents_lost: () => _("its agents were lost"),
  unsupported: () => _("nobody can run it"),
  timeout: () => _("took too long"),
  unserved: () => _("nobody came to run it"),
};

export const because = (reason) => letters[reason]?.() ?? reason;

export const word = (status) => statuses[String(status).toLowerCase()]?.() ?? String(status ?? "").toLowerCase();
