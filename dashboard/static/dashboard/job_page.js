// The page of a job: how far it is, how long it will take, what came of it, what failed.

import { get, query } from "./api.js";
import { duration, moment, number } from "./format.js";
import { _, say } from "./i18n.js";
import { jobOf, nameOf, TaskLink } from "./links.js";
import { Ago, Bar, Empty, Status, useStore, useThing } from "./parts.js";
import { figure, Plot } from "./plot.js";
import { html } from "./preact.js";
import { href } from "./route.js";
import { Facts, Head, Missing, Part, ThingVerbs, useOpen } from "./thing.js";
import { Events } from "./timeline.js";

const BEST = 10;
const FAILED = 10;
const READ_AGAIN_AFTER = 5_000; // many results may be read for the plot; the counts follow at once

async function read(id) {
  const data = await get(`/console/jobs/${encodeURIComponent(id)}/plot`);
  const { uuid } = data.job;
  const [failed, events] = await Promise.all([
    data.job.failed
      ? get(query("/v1/tasks", { job_id: uuid, status: "failed", limit: FAILED })).then((answer) => answer.tasks, () => []) : [],
    get(query("/v1/events", { job_id: uuid, limit: 50 })).then((answer) => answer.events, () => []),
  ]);
  return { ...data, failed, events };
}

/** How long a job will take, in words; where nobody works on it, that. */
export function timeLeft(row) {
  if (!["PENDING", "RUNNING"].includes(row.status)) return "";
  if (!row.running) return _("Nobody works on it.");
  return row.seconds_left === undefined ? _("No task has ended yet.") : say(_("%(time)s left"), { time: duration(row.seconds_left) });
}

export function JobPage({ id }) {
  useStore();
  const live = jobOf(id);
  const { known, refusal } = useThing(live?.id ?? id, read, READ_AGAIN_AFTER);
  const row = live ?? known?.job;
  const title = row && nameOf(row);
  useOpen("jobs", refusal ? null : row, title);
  if (!known) return html`<${Missing} kind="jobs" refusal=${refusal} />`;
  const ended = row.completed + row.failed + row.cancelled;
  const counts = { done: row.completed, failed: row.failed, in_progress: row.running };
  const tasks = (status) => href("tasks", [], { job: row.id, status });
  const numbers = [
    ["queued", _("Waiting"), row.waiting], ["in_progress", _("Running"), row.running],
    ["done", _("Done"), row.completed], ["failed", _("Failed"), row.failed], ["cancelled", _("Cancelled"), row.cancelled],
  ];
  return html`<article class="thing" data-open-job=${row.id}>
    <${Head} trail=${[html`<a href="#/jobs">${_("Jobs")}</a>`]} title=${title} id=${row.id}
      verbs=${html`<${ThingVerbs} kind="jobs" row=${row} title=${title} />`}>
      <${Status} status=${row.command_status ?? row.status} />
      ${row.cancel_asked_at && html`<span class="warn">${_("cancel asked")}</span>`}
      <${Bar} counts=${counts} total=${row.total} />
      <span class="soft small">${number(ended)} / ${number(row.total)}</span>
      ${timeLeft(row) && html`<span class=${row.running ? "small" : "warn small"} data-left>${timeLeft(row)}</span>`}
      ${row.task_id && html`<a href=${href("run", row.task_id)}>${_("Log and files")}</a>`}
    <//>
    <dl class="counters">${numbers.map(([status, name, count]) => html`<div key=${status} class=${status === "failed" && count ? "bad" : ""}>
      <dt>${count ? html`<a href=${tasks(status)}>${name}</a>` : name}</dt><dd>${number(count)}</dd></div>`)}</dl>
    <div class="thing-body">
      <div class="thing-main">
        ${known.failed.length > 0 && html`<${Part} id="failed" title=${_("Failed tasks")} aside=${html`<a href=${tasks("failed")}>${_("All")}</a>`}>
          <ul class="list">${known.failed.map((task) => html`<li key=${task.id}>
            <${TaskLink} class="name" id=${task.id} name=${task.title} />
            <span class="soft small"><${Ago} at=${task.finished_at} /></span>
            ${task.fail_reason && html`<pre class="error" tabindex="0">${task.fail_reason}</pre>`}</li>`)}</ul><//>`}
        ${row.kind === "sweep" && html`<${Part} id="results" title=${_("Results")}><div class="padded"><${Plot} data=${known} /></div>
          <${Best} points=${known.points} /><//>`}
      </div>
      <div class="thing-side">
        <${Part} id="facts" title=${_("Details")}><${Facts} rows=${[
          [_("Tasks"), html`<a href=${tasks()}>${number(row.total)}</a>`],
          [_("Created"), moment(row.created_at)],
          [_("Started"), row.started_at && moment(row.started_at)],
          [_("Ended"), row.finished_at && moment(row.finished_at)],
          [_("Duration"), row.started_at && row.finished_at && duration((new Date(row.finished_at) - new Date(row.started_at)) / 1000)],
        ]} /><//>
        <${Part} id="job-timeline" title=${_("Timeline")} aside=${html`<a href=${href("timeline", [], { job_id: row.uuid })}>${_("All")}</a>`}>
          <${Events} rows=${known.events} about="job_id" /><//>
      </div>
    </div>
  </article>`;
}

function Best({ points }) {
  const best = [...points].sort((a, b) => a.value - b.value).slice(0, BEST);
  if (!best.length) return html`<${Empty}>${_("The best results are listed here.")}<//>`;
  return html`<table><caption class="sr">${_("Best results")}</caption>
    <thead><tr><th scope="col">${_("Task")}</th><th scope="col" class="num">${_("Best value")}</th><th scope="col">${_("Ended")}</th></tr></thead>
    <tbody>${best.map((point) => html`<tr key=${point.task_id}><td><${TaskLink} id=${point.task_id} /></td>
      <td class="num">${figure(point.value)}</td><td class="soft small"><${Ago} at=${point.at} /></td></tr>`)}</tbody></table>`;
}
