// Jobs: how far each is, how long it will take, and what came of it.

import { get, query } from "./api.js";
import { duration, number } from "./format.js";
import { _, say } from "./i18n.js";
import { html, useEffect, useState } from "./preact.js";
import { Act, Ago, announce, Bar, Empty, rove, Status } from "./parts.js";
import { Plot } from "./plot.js";
import { state } from "./store.js";
import { Verbs } from "./verbs.js";

const PLOT_AGAIN_AFTER = 5_000;

const newestFirst = (a, b) => (a.created_at < b.created_at ? 1 : -1);

export function Jobs() {
  const [older, setOlder] = useState({ rows: [], next: undefined });
  const [opened, setOpened] = useState(null);
  const rows = new Map(older.rows.map((row) => [row.id, row]));
  for (const row of state.jobs.values()) rows.set(row.id, row);
  const more = async () => {
    try {
      const data = await get(query("/console/jobs", { after: older.next }));
      setOlder({ rows: [...older.rows, ...data.jobs], next: data.next ?? null });
    } catch (refusal) {
      announce(refusal.message);
    }
  };
  const sorted = [...rows.values()].sort(newestFirst);
  return html`<section class="panel" aria-labelledby="jobs">
    <header><h1 id="jobs">${_("Jobs")}</h1></header>
    ${sorted.length === 0 && html`<${Empty}>${_("No jobs yet.")}<//>`}
    <ul class="list" onKeyDown=${rove}>${sorted.map((row) => html`<${JobRow} key=${row.id} row=${row}
      opened=${opened === row.id} toggle=${() => setOpened(opened === row.id ? null : row.id)} />`)}</ul>
    ${older.next !== null && html`<p class="empty"><${Act} does=${more}>${_("Older jobs")}<//></p>`}
  </section>`;
}

const countsOf = (row) => ({ done: row.completed, failed: row.failed, in_progress: row.running });

export function JobRow({ row, opened, toggle }) {
  const title = row.name || row.id;
  const ended = row.completed + row.failed + row.cancelled;
  const left = row.seconds_left === undefined ? "" : say(_("%(time)s left"), { time: duration(row.seconds_left) });
  return html`<li data-job=${row.id}>
    ${row.task_id
      ? html`<a class="name" data-item="job" href="#/run/${row.task_id}">${title}</a>`
      : toggle
      ? html`<button type="button" class="link name" data-item="job" aria-expanded=${opened ? "true" : "false"} onClick=${toggle}>${title}</button>`
      : html`<a class="name" href="#/jobs">${title}</a>`}
    <${Status} status=${row.command_status ?? row.status} />
    <span class="grow"><${Bar} counts=${countsOf(row)} total=${row.total} /></span>
    <span class="soft small">${number(ended)} / ${number(row.total)}${row.failed ? ` · ${say(_("%(n)s failed"), { n: number(row.failed) })}` : ""}</span>
    ${left && html`<span class="small">${left}</span>`}
    <span class="soft small"><${Ago} at=${row.created_at} /></span>
    ${toggle && html`<${Verbs} kind="jobs" row=${row} title=${title} />`}
    ${opened && html`<${Results} row=${row} />`}
  </li>`;
}

/** The plot follows the job while it runs, read again at most every few seconds. */
function Results({ row }) {
  const [data, setData] = useState(null);
  useEffect(() => {
    let wanted = true;
    const timer = setTimeout(
      () => get(`/console/jobs/${row.id}/plot`).then((plot) => wanted && setData(plot), () => {}),
      data ? PLOT_AGAIN_AFTER : 0,
    );
    return () => {
      wanted = false;
      if (!data) clearTimeout(timer);
    };
  }, [row.id, data && row.completed]);
  if (!data) return html`<p class="soft">${_("One moment…")}</p>`;
  return html`<div style=${{ flex: "1 0 100%" }}><${Plot} data=${data} /></div>`;
}
