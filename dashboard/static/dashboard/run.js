// One run of a command: how it ended, its log, its files, and how to run it again.

import { get } from "./api.js";
import { duration, moment, number } from "./format.js";
import { _, say } from "./i18n.js";
import { Log } from "./log.js";
import { html } from "./preact.js";
import { announce, Empty, Status, useStore, useTask } from "./parts.js";
import { state } from "./store.js";
import { openTask } from "./task.js";
import { Verbs } from "./verbs.js";

async function read(id) {
  const { task } = await get(`/v1/tasks/${id}`);
  const [job, files] = await Promise.all([
    task.type === "command" && task.job_id ? get(`/api/v1/jobs/${task.job_id}`).catch(() => null) : null,
    get(`/v1/tasks/${id}/artifacts`).catch(() => ({ artifacts: [] })),
  ]);
  return { task, job, files: files.artifacts };
}

export function Run({ id, chain: line }) {
  useStore();
  const { known, problem } = useTask(id, read);
  if (problem) return html`<${Empty}>${problem}<//>`;
  if (!known) return html`<div aria-busy="true"><${Empty}>${_("One moment…")}<//></div>`;
  const { task, job, files } = known;
  return html`<div class="run">
    <section class="panel" aria-labelledby="run">
      <header>
        <h1 id="run">${task.title}</h1>
        <${Status} status=${job?.status ?? task.status} />
        <button type="button" onClick=${() => openTask(task.id, task.title)}>${_("Task")}</button>
        <${Verbs} kind="tasks" row=${task} title=${task.title} />
      </header>
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
    [_("Reason"), job?.last_error ?? task.fail_reason],
    [_("Agent"), task.assigned_agent_id],
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

function Copied({ text }) {
  const copy = () => navigator.clipboard?.writeText(text).then(() => announce(_("It has been copied.")), () => {});
  return html`<code>${text}</code> <button type="button" onClick=${copy}>${_("Copy")}</button>`;
}

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

function Files({ id, files }) {
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
