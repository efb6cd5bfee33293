// One task: what it is, why it does not run, what was tried, what happened; and what may be done.

import { get, query } from "./api.js";
import { show } from "./dialog.js";
import { because, moment, number } from "./format.js";
import { complete, fail, sendInput } from "./forms.js";
import { _, say } from "./i18n.js";
import { html } from "./preact.js";
import { Ago, Status, useStore, useTask } from "./parts.js";
import { state } from "./store.js";
import { Events } from "./timeline.js";
import { begin, Verbs } from "./verbs.js";

const WAITING = new Set(["queued", "locked", "failed"]);

export const openTask = (id, title) =>
  show(title || _("Task"), (close) => html`<${Task} id=${id} close=${close} />`, { wide: true });

async function read(id) {
  const [{ task }, why, events] = await Promise.all([
    get(`/v1/tasks/${id}`),
    get(`/v1/tasks/${id}/why`).catch(() => null),
    get(query("/v1/events", { task_id: id, limit: 50 })).catch(() => ({ events: [] })),
  ]);
  return { task, why: why?.why ?? [], events: events.events };
}

function Task({ id, close }) {
  useStore();
  const { known, problem } = useTask(id, read);
  if (problem) return html`<div class="body"><p class="alarm" role="alert">${problem}</p></div>`;
  if (!known) return html`<div class="body"><p class="soft">${_("One moment…")}</p></div>`;
  const { task, why, events } = known;
  return html`<div class="body" data-open-task=${id}>
    <p class="row"><${Status} status=${task.status} /><code>${task.id}</code></p>
    ${task.type === "command" && html`<p><a href="#/run/${task.id}" onClick=${close}>${_("Log and files")}</a></p>`}
    <${Actions} task=${task} />
    ${why.length > 0 && html`<section><h3>${WAITING.has(task.status) ? _("Why is it not running?") : _("Status")}</h3>
      <ol class="why">${why.map((answer) => html`<${Answer} key=${answer.code} answer=${answer} task=${task} />`)}</ol></section>`}
    <${Facts} task=${task} />
    ${task.description && html`<section><h3>${_("Description")}</h3><pre tabindex="0">${task.description}</pre></section>`}
    ${task.payload && html`<section><h3>${_("Payload")}</h3><pre tabindex="0">${JSON.stringify(task.payload, null, 2)}</pre></section>`}
    ${task.result !== undefined && html`<section><h3>${_("Result")}</h3><pre tabindex="0">${JSON.stringify(task.result, null, 2)}</pre></section>`}
    ${task.bad_attempts?.length > 0 && html`<section><h3>${_("Attempts that did not end well")}</h3>
      <ul class="list">${task.bad_attempts.map((attempt) => html`<li key=${attempt.lease_epoch}>
        <span class="tag">${attempt.outcome}</span><span>${attempt.agent_id}</span>
        <span class="grow">${attempt.reason}</span><span class="soft small"><${Ago} at=${attempt.ended_at} /></span></li>`)}</ul></section>`}
    <section><h3>${_("Timeline")}</h3><${Events} rows=${events} /></section>
  </div>`;
}

function Actions({ task }) {
  return html`<div class="row">
    ${state.me.operate && task.status === "in_progress" && html`
      <button type="button" onClick=${() => complete(task)}>${_("Complete")}</button>
      <button type="button" onClick=${() => fail(task)}>${_("Fail")}</button>
      <button type="button" onClick=${() => sendInput(task)}>${_("Send input")}</button>`}
    <${Verbs} kind="tasks" row=${task} title=${task.title} />
  </div>`;
}

const plural = { task: "tasks", agent: "agents", channel: "channels", chain: "chains", job: "jobs" };

/** One reason, and the verb that would put it right where this person may use it. */
function Answer({ answer, task }) {
  const { do: remedy } = answer;
  const kind = remedy && (plural[remedy.kind] ?? remedy.kind);
  const verb = remedy && (state.verbs[kind] ?? []).find((one) => one.name === remedy.verb && one.allowed);
  return html`<li data-why=${answer.code}>
    <p>${answer.text}</p>
    ${answer.remedy && html`<p class="soft small">${answer.remedy}</p>`}
    ${verb && html`<button type="button" onClick=${() => begin(kind, verb, [remedy.id], task.title)}>${verb.label}</button>`}
  </li>`;
}

function Facts({ task }) {
  const channel = state.channels.get(task.channel_id);
  const facts = [
    [_("Channel"), channel && html`<a href="#/board/${channel.id}">${channel.name}</a>`],
    [_("Agent"), task.assigned_agent_id],
    [_("Reserved for"), task.reserved_for],
    [_("Sequence"), task.sequence && number(task.sequence)],
    [_("Priority"), number(task.priority)],
    [_("Attempts"), say(_("%(n)s of %(most)s"), { n: number(task.attempts ?? 0), most: number(task.max_attempts) })],
    [_("Created"), moment(task.created_at)],
    [_("Claimed"), task.claimed_at && moment(task.claimed_at)],
    [_("Ended"), task.finished_at && moment(task.finished_at)],
    [_("Held until"), task.lease_expires_at && moment(task.lease_expires_at)],
    [_("Not before"), task.available_at && moment(task.available_at)],
    [_("Reason"), task.fail_reason],
    [_("Dead letter"), task.dead_letter && because(task.dead_letter)],
  ];
  return html`<dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`
    <dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

