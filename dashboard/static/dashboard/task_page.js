// The page of a task: its state, why it does not run, what came of it, and what may be done.

import { get, query } from "./api.js";
import { because, duration, moment, number } from "./format.js";
import { _, say } from "./i18n.js";
import { Json } from "./json_tree.js";
import { AgentLink, ChainLink, ChannelLink, JobLink, nameOf } from "./links.js";
import { Log } from "./log.js";
import { Ago, Status, useStore, useThing } from "./parts.js";
import { html } from "./preact.js";
import { href } from "./route.js";
import { Files } from "./run.js";
import { state } from "./store.js";
import { Facts, Head, Missing, Part, ThingVerbs, useOpen, Why } from "./thing.js";
import { Events } from "./timeline.js";

const WAITING = new Set(["queued", "locked", "failed"]);

const nothing = (value) => () => value;

async function read(id) {
  const path = `/v1/tasks/${encodeURIComponent(id)}`;
  const { task } = await get(path);
  const [around, why, events] = await Promise.all([
    get(`/console/tasks/${task.id}/surroundings`),
    get(`${path}/why`).then((answer) => answer.why, nothing([])),
    get(query("/v1/events", { task_id: id, limit: 50 })).then((answer) => answer.events, nothing([])),
  ]);
  const files = around.has_files ? await get(`${path}/artifacts`).then((answer) => answer.artifacts, nothing([])) : [];
  // The row of a list knows what verbs ask of it; the rest is of the task itself.
  return { ...around, task: { ...task, ...around.task }, why, events, files };
}

export function TaskPage({ id, more: line }) {
  useStore();
  const { known, refusal } = useThing(id, read);
  useOpen("tasks", known?.task, known?.task.title);
  if (!known) return html`<${Missing} kind="tasks" refusal=${refusal} />`;
  const { task, why, events, files, chain, job, has_log: hasLog } = known;
  const isCommand = task.type === "command";
  const trail = [
    html`<${ChannelLink} id=${task.channel_id} />`,
    chain && html`<${ChainLink} id=${chain.id} name=${chain.name} />`,
    job && html`<${JobLink} id=${job.id} name=${nameOf(job)} />`,
  ];
  return html`<article class="thing" data-open-task=${id}>
    <${Head} trail=${trail} title=${task.title} id=${task.id}
      verbs=${html`<${ThingVerbs} kind="tasks" row=${task} title=${task.title} />`}>
      <${Status} status=${task.status} />
      ${task.assigned_agent_id && html`<${AgentLink} id=${task.assigned_agent_id} />`}
      ${task.cancel_asked_at && html`<span class="warn">${_("cancel asked")}</span>`}
      ${task.dead_letter && html`<span class="tag alarm">${_("dead letter")}: ${because(task.dead_letter)}</span>`}
      ${(isCommand || hasLog) && html`<a href=${href("run", task.id)}>${_("Log and files")}</a>`}
    <//>
    <div class="thing-body">
      <div class="thing-main">
        ${why.length > 0 && html`<${Why} rows=${why} title=${task.title}
          label=${WAITING.has(task.status) ? _("Why is it not running?") : _("Status")} />`}
        <${Errors} task=${task} />
        ${task.result !== undefined && html`<${Part} id="result" title=${_("Result")}><${Json} value=${task.result} label=${_("Result")} /><//>`}
        ${task.description && html`<${Part} id="description" title=${_("Description")}><pre class="text" tabindex="0">${task.description}</pre><//>`}
        ${task.payload && html`<${Part} id="payload" title=${_("Payload")}><${Json} value=${task.payload} label=${_("Payload")} /><//>`}
        ${hasLog && html`<${Log} id=${task.id} line=${Number(line) || 0} />`}
        ${files.length > 0 && html`<${Files} id=${task.id} files=${files} />`}
      </div>
      <div class="thing-side">
        <${Part} id="facts" title=${_("Details")}><${TaskFacts} ...${{ task, chain, job }} /><//>
        <${Part} id="task-timeline" title=${_("Timeline")} aside=${html`<a href=${href("timeline", [], { task_id: task.id })}>${_("All")}</a>`}>
          <${Events} rows=${events} about="task_id" /><//>
      </div>
    </div>
  </article>`;
}

const outcomes = {
  failed: () => _("failed"),
  expired: () => _("not renewed in time"),
  lost: () => _("its agent was lost"),
  detached: () => _("detached"),
  refused: () => _("refused"),
  released: () => _("given back"),
  reset: () => _("reset"),
  timed_out: () => _("took too long"),
};

/** Why it failed, and the attempts that did not end well, with their line breaks. */
function Errors({ task }) {
  const attempts = [...(task.bad_attempts ?? [])].reverse();
  if (!task.fail_reason && !attempts.length) return null;
  const said = attempts.some((attempt) => attempt.reason === task.fail_reason);
  return html`<${Part} id="errors" title=${attempts.length ? _("Attempts that did not end well") : _("Error")}>
    ${task.fail_reason && !said && html`<pre class="error" tabindex="0">${task.fail_reason}</pre>`}
    <ol class="attempts">${attempts.map((attempt) => html`<li key=${attempt.lease_epoch}>
      <p class="row small"><strong>${say(_("Attempt %(n)s"), { n: number(attempt.lease_epoch) })}</strong>
        <span class="tag">${outcomes[attempt.outcome]?.() ?? attempt.outcome}</span>
        <${AgentLink} id=${attempt.agent_id} /><span class="soft"><${Ago} at=${attempt.ended_at} /></span></p>
      ${attempt.reason && html`<pre class="error" tabindex="0">${attempt.reason}</pre>`}</li>`)}</ol>
  <//>`;
}

function TaskFacts({ task, chain, job }) {
  const took = task.claimed_at && (new Date(task.finished_at ?? state.now) - new Date(task.claimed_at)) / 1000;
  return html`<${Facts} rows=${[
    [_("Channel"), html`<${ChannelLink} id=${task.channel_id} />`],
    [_("Chain"), chain && html`<${ChainLink} id=${chain.id} name=${chain.name} /> ${say(_("task %(n)s of %(most)s"), { n: number(task.sequence), most: number(chain.total) })}`],
    [_("Owner"), chain?.owner && html`<${AgentLink} id=${chain.owner} />`],
    [_("Job"), job && html`<${JobLink} id=${job.id} name=${nameOf(job)} /> <${Status} status=${job.command_status ?? job.status} />`],
    [_("Agent"), task.assigned_agent_id && html`<${AgentLink} id=${task.assigned_agent_id} />`],
    [_("Reserved for"), task.reserved_for && html`<${AgentLink} id=${task.reserved_for} />`],
    [_("Priority"), number(task.priority)],
    [_("Attempts"), say(_("%(n)s of %(most)s"), { n: number(task.attempts ?? 0), most: number(task.max_attempts) })],
    [_("Created"), moment(task.created_at)],
    [_("Claimed"), task.claimed_at && moment(task.claimed_at)],
    [_("Ended"), task.finished_at && moment(task.finished_at)],
    [_("Duration"), took > 0 && duration(took)],
    [_("Held until"), task.lease_expires_at && moment(task.lease_expires_at)],
    [_("Not before"), task.available_at && moment(task.available_at)],
    [_("Execution mode"), task.execution_mode],
    [_("Type"), task.type && html`<code>${task.type}</code>`],
    [_("Key"), task.idempotency_key && html`<code>${task.idempotency_key}</code>`],
  ]} />`;
}
