// Everything at a glance: what needs a person, four numbers, how they were over time, and what there is.

import { AgentList } from "./agents.js";
import { Attention, isCalm } from "./attention.js";
import { FirstRun, useFirstRun } from "./first_run.js";
import { duration, number, rate } from "./format.js";
import { newChannel } from "./forms.js";
import { _, ngettext, say } from "./i18n.js";
import { JobRow } from "./jobs.js";
import { html } from "./preact.js";
import { Empty, Spark } from "./parts.js";
import { Series } from "./series.js";
import { state } from "./store.js";
import { ThingVerbs } from "./thing.js";
import { Events } from "./timeline.js";

export function Overview() {
  const { greets, dismiss } = useFirstRun();
  const { counters } = state;
  return html`
    <h1 class="sr">${_("Overview")}</h1>
    ${greets && html`<${FirstRun} dismiss=${dismiss} />`}
    ${!(greets && isCalm()) && html`<${Attention} />`}
    <${Numbers} />
    ${(!greets || counters.agents_total > 0) && html`<${Series} />`}
    <div class="grid">
      <${Channels} />
      <section class="panel" aria-labelledby="jobs-now">
        <header><h2 id="jobs-now">${_("Jobs")}</h2><a href="#/jobs">${_("All")}</a></header>
        <${JobsNow} />
      </section>
      <section class="panel" aria-labelledby="agents-now">
        <header><h2 id="agents-now">${_("Agents")}</h2><a href="#/agents">${_("All")}</a></header>
        <div class="scroll" tabindex="0" role="group" aria-labelledby="agents-now"><${AgentList} most=${30} /></div>
      </section>
      <section class="panel" aria-labelledby="events-now">
        <header><h2 id="events-now">${_("Latest")}</h2><a href="#/timeline">${_("All")}</a></header>
        <div class="scroll" tabindex="0" role="group" aria-labelledby="events-now"><${Events} rows=${state.events.slice(0, 40)} /></div>
      </section>
    </div>`;
}

function JobsNow() {
  const jobs = [...state.jobs.values()].sort((a, b) => (a.created_at < b.created_at ? 1 : -1)).slice(0, 8);
  if (!jobs.length) return html`<${Empty}>${_("No jobs yet.")}<//>`;
  return html`<ul class="list">${jobs.map((row) => html`<${JobRow} key=${row.id} row=${row} />`)}</ul>`;
}

const WHOLE_MINUTES = 5; // over which the pace of now is told

/** Tasks that ended per minute lately, without the minute that is not over. */
function pace(ended) {
  const latest = ended.slice(-1 - WHOLE_MINUTES, -1);
  return latest.reduce((sum, count) => sum + count, 0) / latest.length;
}

function Numbers() {
  const { counters } = state;
  const { tasks, trends } = counters;
  const oldest = counters.oldest_waiting_at;
  return html`<ul class="numbers">
    <${Figure} name="waiting" label=${_("Waiting")} value=${number(tasks.queued ?? 0)} points=${trends.waiting} to="#/tasks?status=queued"
      note=${oldest ? say(_("the oldest for %(time)s"), { time: duration((state.now - new Date(oldest)) / 1000) }) : _("nothing is ready")} />
    <${Figure} name="running" label=${_("Running")} value=${number(tasks.in_progress ?? 0)} points=${trends.running} to="#/tasks?status=in_progress"
      note=${say(_("%(online)s of %(all)s agents online"), { online: number(counters.agents_online), all: number(counters.agents_total) })} />
    <${Figure} name="ended" label=${_("Ended per minute")} value=${rate(pace(trends.ended))} points=${trends.ended} to="#/tasks?status=done"
      note=${say(_("%(n)s in the last hour"), { n: number(trends.ended.reduce((sum, count) => sum + count, 0)) })} />
    <${Figure} name="failures" label=${_("Failures, last hour")} value=${number(counters.failures_last_hour)} points=${trends.failed} to="#/dead-letters"
      bad=${counters.failures_last_hour > 0} note=${say(ngettext("%(n)s dead letter", "%(n)s dead letters", counters.dead_letters), { n: number(counters.dead_letters) })} />
  </ul>`;
}

function Figure({ name, label, value, points, to, note, bad = false }) {
  const speech = say(_("Over the last hour: at least %(least)s, at most %(most)s"), {
    least: number(Math.min(...points)), most: number(Math.max(...points)),
  });
  return html`<li class=${bad ? "bad" : ""} data-number=${name}><a href=${to}>
    <span class="label">${label}</span><strong>${value}</strong>
    <span class="soft small">${note}</span>
    <${Spark} points=${points} label=${speech} /></a></li>`;
}

const byName = (a, b) => a.name.localeCompare(b.name);

function Channels() {
  const rows = [...state.channels.values()].sort(byName);
  return html`<section class="panel" aria-labelledby="channels-now">
    <header><h2 id="channels-now">${_("Channels")}</h2>
      ${state.me.operate && html`<button type="button" onClick=${() => newChannel()}>${_("New channel")}</button>`}</header>
    ${rows.length === 0 && html`<${Empty}>${_("No channels yet. Agents and tasks meet in channels.")}<//>`}
    <ul class="list">${rows.map((row) => html`<li key=${row.id}>
      <a class="name grow" href="#/board/${row.id}">${row.name}</a>
      ${row.paused_at && html`<span class="warn small" title=${row.pause_reason}>${_("paused")}: ${row.pause_reason || "–"}</span>`}
      <span class="soft small">${[
        say(_("%(n)s ready"), { n: number(row.counts?.ready ?? 0) + (row.more?.includes("ready") ? "+" : "") }),
        say(_("%(n)s in progress"), { n: number(row.counts?.in_progress ?? 0) }),
        row.counts?.locked ? say(_("%(n)s locked"), { n: number(row.counts.locked) }) : "",
      ].filter(Boolean).join(" · ")}</span>
      <${ThingVerbs} kind="channels" row=${row} title=${row.name} quiet />
    </li>`)}</ul>
  </section>`;
}
