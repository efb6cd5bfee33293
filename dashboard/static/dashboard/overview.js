// Everything at a glance.

import { AgentList } from "./agents.js";
import { duration, number, rate, word } from "./format.js";
import { Dismiss, newChannel } from "./forms.js";
import { _, say } from "./i18n.js";
import { JobRow } from "./jobs.js";
import { html } from "./preact.js";
import { Ago, Empty, Spark } from "./parts.js";
import { readNotifications, state } from "./store.js";
import { Events } from "./timeline.js";
import { Verbs } from "./verbs.js";

export const Overview = () => html`
  <h1 class="sr">${_("Overview")}</h1>
  <${Counters} />
  <${Notifications} />
  <div class="grid">
    <${Channels} />
    <section class="panel" aria-labelledby="jobs-now">
      <header><h2 id="jobs-now">${_("Jobs")}</h2><a href="#/jobs">${_("All")}</a></header>
      <${JobsNow} />
    </section>
    <section class="panel" aria-labelledby="agents-now">
      <header><h2 id="agents-now">${_("Agents")}</h2><a href="#/agents">${_("All")}</a></header>
      <div class="scroll" tabindex="0" role="group" aria-labelledby="agents-now"><${AgentList} most=${30} brief=${true} /></div>
    </section>
    <section class="panel" aria-labelledby="events-now">
      <header><h2 id="events-now">${_("Latest")}</h2><a href="#/timeline">${_("All")}</a></header>
      <div class="scroll" tabindex="0" role="group" aria-labelledby="events-now"><${Events} rows=${state.events.slice(0, 40)} /></div>
    </section>
  </div>`;

function JobsNow() {
  const jobs = [...state.jobs.values()].sort((a, b) => (a.created_at < b.created_at ? 1 : -1)).slice(0, 8);
  if (!jobs.length) return html`<${Empty}>${_("No jobs yet.")}<//>`;
  return html`<ul class="list">${jobs.map((row) => html`<${JobRow} key=${row.id} row=${row} />`)}</ul>`;
}

const SHOWN = ["queued", "in_progress", "locked", "done", "failed", "cancelled"];
const TONES = { failed: "bad", locked: "held" };

function Counters() {
  const { counters } = state;
  const now = counters.rate.at(-1) ?? 0;
  const peak = Math.max(0, ...counters.rate);
  const speech = say(_("Tasks ended per second over the last hour: now %(now)s, at most %(peak)s"), {
    now: rate(now), peak: rate(peak),
  });
  return html`<dl class="counters">
    <div><dt>${_("Agents online")}</dt>
      <dd>${number(counters.agents_online)}<span class="soft small"> / ${number(counters.agents_total)}</span></dd></div>
    ${SHOWN.map((status) => html`<div key=${status} class=${counters.tasks[status] ? TONES[status] : ""}>
      <dt>${word(status)}</dt><dd>${number(counters.tasks[status] ?? 0)}</dd></div>`)}
    <div><dt>${_("Oldest waiting")}</dt>
      <dd class="small">${counters.oldest_waiting_at
        ? duration((state.now - new Date(counters.oldest_waiting_at)) / 1000) : "–"}</dd></div>
    <div class=${counters.failures_last_hour ? "bad" : ""}><dt>${_("Failures, last hour")}</dt>
      <dd>${number(counters.failures_last_hour)}</dd></div>
    <div class=${counters.dead_letters ? "bad" : ""}><dt><a href="#/dead-letters">${_("Dead letters")}</a></dt>
      <dd>${number(counters.dead_letters)}</dd></div>
    <div class="wide"><dt>${say(_("%(n)s tasks/s, last hour"), { n: rate(now) })}</dt>
      <dd><${Spark} points=${counters.rate} label=${speech} /></dd></div>
  </dl>`;
}

export function Notifications() {
  if (!state.notifications.length) return null;
  return html`<section class="panel" id="notifications" aria-labelledby="notes">
    <header><h2 id="notes">${_("Notifications")}</h2></header>
    <ul class="list">${state.notifications.map((note) => html`<li key=${note.key}>
      <span class="name">${note.agent_name || note.agent_id}</span>
      <span class="grow">${note.message}</span>
      ${note.channel && html`<span class="tag">${note.channel}</span>`}
      <span class="soft small"><${Ago} at=${note.created_at} /></span>
      ${state.me.operate && html`<${Dismiss} note=${note} then=${readNotifications} />`}
    </li>`)}</ul>
  </section>`;
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
      <${Verbs} kind="channels" row=${row} title=${row.name} />
    </li>`)}</ul>
  </section>`;
}
