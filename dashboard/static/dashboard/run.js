// One run of a command: how it ended, its log, its files, and how to run it again.

import { get } from "./api.js";
import { duration, moment, number } from "./format.js";
import { _, say } from "./i18n.js";
import { Log } from "./log.js";
import { html } from "./preact.js";
import { copy, Empty, Status, useStore, useThing } from "./parts.js";
import { AgentLink, JobLink, TaskLink } from "./links.js";
import { Head, Missing, ThingVerbs, useOpen } from "./thing.js";

async function read(id) {
  const { task } = await get(`/v1/tasks/${id}`);
  const [job, files] = await Promise.all([
    task.type === "command" && task.job_id ? get(`/api/v1/jobs/${task.job_id}`).catch(() => null) : null,
    get(`/v1/tasks/${id}/artifacts`).catch(() => ({ artifacts: [] })),
  ]);
  return { task, job, files: files.artifacts };
}

export function Run({ id, more: line }) {
  useStore();
  const { known, refusal } = useThing(id, read);
  useOpen("tasks", known?.task, known?.task.title);
  if (!known) return html`<${Missing} kind="tasks" refusal=${refusal} />`;
  const { task, job, files } = known;
  const trail = [
    task.job_id && html`<${JobLink} id=${task.job_id} />`,
    html`<${TaskLink} id=${task.id} title=${task.title}>${_("Task")}<//>`,
  ];
  return html`<div class="run">
    <section class="panel" aria-label=${_("Run")}>
      <${Head} trail=${trail} title=${task.title} id=${task.id}
        verbs=${html`<${ThingVerbs} kind="tasks" row=${task} title=${task.title} />`}>
        <${Status} status=${job?.status ?? task.status} />
      <//>
      <${Facts} task=${task} job=${job} />
    </section>
    <${Log} id=${id} line=${Number(line) || 0} />
    <${Files} id=${id} files=${files} />
  </div>`;
}

function Facts({ task, job }) {
  const took = task.claimed_at && ((task.finished_at ? new Date(task.finished_at) : new Date()) - new Date(task.claimed_at)) / 1000;
  const facts = [
    [_("Exit code"), job && job.exit_code !== null && number(job.exit_code)],
    [_("Error"), (job?.last_error ?? task.fail_reason) && html`<pre class="error" tabindex="0">${job?.last_error ?? task.fail_reason}</pre>`],
    [_("Agent"), task.assigned_agent_id && html`<${AgentLink} id=${task.assigned_agent_id} />`],
    [_("Claimed"), task.claimed_at && moment(task.claimed_at)],
    [_("Duration"), took && duration(took)],
    [_("Source"), job && (job.git_url ? `${job.git_url} ${job.git_ref}` : job.source_path)],
    [_("Commit"), job?.commit_sha && html`<code>${job.commit_sha}</code>`],
    [_("Command"), job && html`<pre tabindex="0">${job.job_command}</pre>`],
    [_("Run it again"), job && task.finished_at && html`<${Copied} text=${`coordinator job retry ${job.job_id}`} />`],
  ];
  return html`<dl class="facts body">${facts.filter(([, value]) => value).map(([name, value]) => html`
    <dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

const Copied = ({ text }) =>
  html`<code>${text}</code> <button type="button" onClick=${() => copy(text)}>${_("Copy")}</button>`;

const UNITS = ["B", "KiB", "MiB", "GiB"];

function size(bytes) {
  let unit = 0;
  let left = bytes;
  while (left >= 1024 && unit < UNITS.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${number(Math.round(left * 10) / 10)} ${UNITS[unit]}`;
}

export function Files({ id, files }) {
  return html`<section class="panel" aria-labelledby="files">
    <header><h2 id="files">${_("Files")}</h2>
      ${files.length > 1 && html`<a href="/v1/tasks/${id}/artifacts.zip" download="${id}.zip">${_("All as ZIP")}</a>`}</header>
    ${files.length === 0 && html`<${Empty}>${_("It has left no files.")}<//>`}
    <ul class="list">${files.map((file) => html`<li key=${`${file.attempt} ${file.path}`}>
      <a class="name grow" href="/v1/tasks/${id}/artifacts/${file.path.split("/").map(encodeURIComponent).join("/")}?attempt=${file.attempt}" download>${file.path}</a>
      ${file.lost && html`<span class="tag">${say(_("lost attempt %(n)s"), { n: number(file.attempt) })}</span>`}
      <span class="soft small">${size(file.size)}</span>
      <code class="soft small" title=${file.sha256}>${file.sha256.slice(0, 12)}</code></li>`)}</ul>
  </section>`;
}
