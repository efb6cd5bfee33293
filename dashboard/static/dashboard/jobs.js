// Jobs: how far each is, how long it will take, and what came of it.

import { get, query } from "./api.js";
import { Filters, period, AGES } from "./filters.js";
import { duration, now, number, short, word } from "./format.js";
import { _, say } from "./i18n.js";
import { html } from "./preact.js";
import { Ago, Bar, Status } from "./parts.js";
import { go, href, useValues } from "./route.js";
import { useRows } from "./rows.js";
import { state } from "./store.js";
import { Bulk, Table, useChosen } from "./table.js";
import { Views } from "./views.js";

const PATH = "/console/tables/jobs";
const PAGE = 100;
const USUAL = { text: "", kind: "", status: "", age: "", from: "", to: "", sort: "newest" };
const STATUSES = ["pending", "running", "completed", "failed", "cancelled"];

const kinds = { sweep: () => _("Sweep"), command: () => _("Command") };
const titleOf = (row) => row.name || `${kinds[row.kind]?.() ?? ""} ${short(row.id)}`;
const statusOf = (row) => row.command_status ?? row.status;
const endedOf = (row) => row.completed + row.failed + row.cancelled;
const countsOf = (row) => ({ done: row.completed, failed: row.failed, in_progress: row.running });
const leftOf = (row) => (row.seconds_left === undefined ? "" : say(_("%(time)s left"), { time: duration(row.seconds_left) }));

const asked = ({ text, kind, status, sort, ...ages }) => ({ name: text, kind, status, sort, ...period(ages) });

const fits = (row, { text, kind, status, age }) =>
  (!text || (row.name ?? "").toLowerCase().includes(text.toLowerCase())) && (!kind || kind === row.kind) &&
  (!status || statusOf(row).toLowerCase() === status || row.status.toLowerCase() === status) &&
  (!AGES[age] || now() - new Date(row.created_at) < AGES[age]) && age !== "older" && age !== "between";

function columns() {
  return [
    { name: "title", label: _("Job"), width: "minmax(11rem, 2.4fr)", card: "title", cell: (row) => html`<a href=${href("jobs", row.id)} tabIndex="-1" title=${row.id}>${titleOf(row)}</a>` },
    { name: "kind", label: _("Kind"), width: "7rem", from: 900, cell: (row) => kinds[row.kind]?.() ?? row.kind },
    { name: "status", label: _("Status"), width: "8.5rem", card: "plain", cell: (row) => html`<${Status} status=${statusOf(row)} />` },
    { name: "progress", label: _("Progress"), width: "minmax(8rem, 1.6fr)", card: "line", cell: (row) => html`<${Bar} counts=${countsOf(row)} total=${row.total} />` },
    { name: "ended", label: _("Ended"), width: "9rem", card: "line", num: true, cell: (row) => say(_("%(n)s of %(total)s"), { n: number(endedOf(row)), total: number(row.total) }) },
    { name: "failed", label: _("Failures"), width: "6.5rem", num: true, card: "line", cell: (row) => html`<span class=${row.failed ? "bad-number" : ""}>${number(row.failed)}</span>` },
    { name: "left", label: _("Time left"), width: "8rem", from: 1100, cell: (row) => leftOf(row) || "–" },
    { name: "made", label: _("Made"), width: "6.5rem", card: "line", sorts: ["newest", "oldest"], cell: (row) => html`<${Ago} at=${row.created_at} />` },
  ];
}

export function Jobs() {
  const [values, set] = useValues(USUAL);
  const key = JSON.stringify(values);
  const chosen = useChosen(key);
  const list = useRows({
    kind: "jobs", key, fits: (row) => fits(row, values),
    read: async (cursor) => {
      const data = await get(query(PATH, { ...asked(values), cursor, limit: PAGE }));
      return { rows: data.jobs, next: data.next_cursor };
    },
  });
  const fields = [
    { name: "text", label: _("Find"), kind: "find", hint: _("a part of its name") },
    { name: "kind", label: _("Kind"), kind: "choice", options: Object.entries(kinds).map(([kind, label]) => [kind, label()]) },
    { name: "status", label: _("Status"), kind: "choice", options: STATUSES.map((status) => [status, word(status)]) },
    { name: "age", label: _("Made"), kind: "age" },
  ];
  return html`<section class="panel" aria-labelledby="jobs">
    <header><h1 id="jobs">${_("Jobs")}</h1>
      ${list.fresh.size > 0 && values.sort === "newest" && html`<button type="button" onClick=${() => list.begin()}>${say(_("Show what is new (%(n)s)"), { n: number(list.fresh.size) })}</button>`}
      <${Views} of="jobs" values=${values} usual=${USUAL} set=${set} /></header>
    <${Filters} label=${_("Filters of the jobs")} fields=${fields} values=${values} set=${set}>
      <div><label for="job-sort">${_("Order")}</label><select id="job-sort" value=${values.sort} onChange=${(event) => set({ sort: event.target.value })}>
        <option value="newest" selected=${values.sort === "newest"}>${_("newest first")}</option><option value="oldest" selected=${values.sort === "oldest"}>${_("oldest first")}</option></select></div>
    <//>
    <${Bulk} kind="jobs" chosen=${chosen} list=${list} />
    <${Table} label=${_("Jobs")} kind="jobs" columns=${columns()} list=${list} chosen=${state.me.operate ? chosen : null} title=${titleOf}
      open=${(row) => go(href("jobs", row.id))} sort=${{ value: values.sort, set: (sort) => set({ sort }) }}
      empty=${list.next ? _("None of those that were looked at fits; there is more to look at.") : state.jobs.size ? _("No job fits.") : _("No jobs yet.")} />
  </section>`;
}

/** A job as the overview has it. */
export function JobRow({ row }) {
  const title = titleOf(row);
  return html`<li data-job=${row.id}>
    <a class="name" data-item="job" href=${href("jobs", row.id)}>${title}</a>
    <${Status} status=${statusOf(row)} />
    <span class="grow"><${Bar} counts=${countsOf(row)} total=${row.total} /></span>
    <span class="soft small">${number(endedOf(row))} / ${number(row.total)}${row.failed ? ` · ${say(_("%(n)s failed"), { n: number(row.failed) })}` : ""}</span>
    ${leftOf(row) && html`<span class="small">${leftOf(row)}</span>`}
    <span class="soft small"><${Ago} at=${row.created_at} /></span>
  </li>`;
}
