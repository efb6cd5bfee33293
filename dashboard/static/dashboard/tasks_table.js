// Tasks of all channels: by filters, in an order that the server can give, page by page.

import { get, query } from "./api.js";
import { AGES, AllThatMatch, channels, Filters, period } from "./filters.js";
import { now, number, short, word } from "./format.js";
import { _, say } from "./i18n.js";
import { html } from "./preact.js";
import { Ago, Status } from "./parts.js";
import { go, href, useValues } from "./route.js";
import { useRows } from "./rows.js";
import { state } from "./store.js";
import { Bulk, Table, useChosen } from "./table.js";
import { Views } from "./views.js";

const PATH = "/console/tables/tasks";
const PAGE = 200;
const USUAL = { status: "", channel: "", agent: "", job: "", chain: "", text: "", age: "", from: "", to: "", sort: "newest" };
const STATUSES = ["queued", "in_progress", "locked", "done", "failed", "cancelled"];

const sorts = { newest: () => _("newest first"), oldest: () => _("oldest first"), ended: () => _("ended last first"), queue: () => _("next in the queue, without chains") };

/** What the server is asked. */
const asked = ({ status, channel, agent, job, chain, text, sort, ...ages }) => (sort === "queue"
  ? { sort, channel_id: channel, status: status === "queued" ? status : "" }
  : { status, channel_id: channel, agent_id: agent, job_id: job, chain_id: chain, text, sort, ...period(ages) });

/** Whether a row that has changed is one of those that the filters leave, as far as a page can say. */
function fits(row, { status, channel, agent, job, chain, text, age }) {
  const same = [[status, row.status], [channel, row.channel_id], [agent, row.assigned_agent_id], [chain, row.chain_id]];
  return same.every(([wanted, is]) => !wanted || wanted === is) &&
    (!job || (row.job_id ?? "").replaceAll("-", "") === job.replace(/^job-/, "").replaceAll("-", "")) &&
    (!text || row.id.startsWith(text) || row.title.toLowerCase().includes(text.toLowerCase())) &&
    (!AGES[age] || now() - new Date(row.created_at) < AGES[age]) && age !== "older" && age !== "between";
}

const until = (row) => row.finished_at ?? row.claimed_at;

function columns({ sort, channel }) {
  return [
    { name: "title", label: _("Title"), width: "minmax(12rem, 4fr)", card: "title",
      cell: (row) => html`<a href=${href("tasks", row.id)} tabIndex="-1" title=${row.title}>${row.title}</a>` },
    { name: "status", label: _("Status"), width: "8.5rem", card: "plain", cell: (row) => (row.deleted
      ? html`<span class="soft">${_("deleted")}</span>` : html`<${Status} status=${row.status} />${row.cancel_asked_at && row.status === "in_progress" ? html` <span class="soft small">${_("stops")}</span>` : ""}`) },
    { name: "channel", label: _("Channel"), width: "minmax(7rem, 1.4fr)", from: 900, card: "line",
      cell: (row) => html`<a href=${href("board", row.channel_id)} tabIndex="-1">${state.channels.get(row.channel_id)?.name ?? short(row.channel_id)}</a>` },
    { name: "of", label: _("Chain or job"), width: "minmax(7rem, 1.2fr)", from: 1280, cell: (row) => (row.chain_id
      ? html`<a href=${href("chains", row.chain_id)} tabIndex="-1" title=${row.chain_id}>${say(_("chain, step %(n)s"), { n: number(row.sequence) })}</a>`
      : row.job_id ? html`<a href=${href("jobs", jobId(row))} tabIndex="-1" title=${row.job_id}>${say(_("job %(id)s"), { id: short(row.job_id) })}</a>` : "–") },
    { name: "agent", label: _("Agent"), width: "minmax(8rem, 1.4fr)", card: "line", cell: (row) => (row.assigned_agent_id
      ? html`<a href=${href("agents", row.assigned_agent_id)} tabIndex="-1" title=${row.assigned_agent_id}>${row.assigned_agent_id}</a>` : "–") },
    { name: "priority", label: _("Priority"), width: "6.6rem", from: 1080, num: true, sorts: channel ? ["queue"] : [], cell: (row) => number(row.priority) },
    { name: "attempts", label: _("Attempts"), width: "6rem", from: 1440, num: true, cell: (row) => `${number(row.attempts ?? 0)} / ${number(row.max_attempts)}` },
    { name: "id", label: _("Id"), width: "6.5rem", from: 1600, cell: (row) => html`<code title=${row.id}>${short(row.id)}</code>` },
    { name: "made", label: _("Made"), width: "6.5rem", card: "line", sorts: ["newest", "oldest"], cell: (row) => html`<${Ago} at=${row.created_at} />` },
    { name: "since", label: sort === "ended" ? _("Ended") : _("Claimed or ended"), width: "9.5rem", from: 980, sorts: ["ended"], cell: (row) => html`<${Ago} at=${until(row)} />` },
  ];
}

const jobId = (row) => [...state.jobs.values()].find((job) => job.uuid === row.job_id)?.id ?? row.job_id;

/** Tasks as they are now, by their ids. */
export const tasksAgain = (ids) => get(query("/console/tasks", { ids: ids.join(",") })).then(({ tasks }) => tasks);

export function Tasks() {
  const [values, set] = useValues(USUAL);
  const key = JSON.stringify(values);
  const chosen = useChosen(key);
  const list = useRows({
    kind: "tasks", key, fits: (row) => fits(row, values), reread: tasksAgain,
    read: async (cursor) => {
      const data = await get(query(PATH, { ...asked(values), cursor, limit: PAGE }));
      return { rows: data.tasks, next: data.next_cursor };
    },
  });
  const change = (some, options) => {
    const next = { ...values, ...some };
    // The queue is that of one channel, as it is.
    const queue = next.sort === "queue" && (!next.channel || !["", "queued"].includes(next.status));
    set(queue ? { ...some, sort: "newest" } : some, options);
  };
  const agents = [...state.agents.values()].map((row) => [row.id, row.name === row.id ? "" : row.name]);
  const queue = values.sort === "queue";
  const fields = [
    { name: "text", label: _("Find"), kind: "find", hint: _("title or id") },
    { name: "status", label: _("Status"), kind: "choice", options: STATUSES.map((status) => [status, word(status)]) },
    { name: "channel", label: _("Channel"), kind: "choice", options: channels() },
    { name: "agent", label: _("Agent"), kind: "suggest", options: agents },
    { name: "chain", label: _("Chain"), hint: _("its id") },
    { name: "job", label: _("Job"), hint: _("its id"), options: [...state.jobs.values()].map((row) => [row.id, row.name ?? ""]) },
    { name: "age", label: _("Made"), kind: "age" },
  ];
  const alike = (row) => `${row.status} ${Boolean(row.blocked)} ${Boolean(row.cancel_asked_at)} ${Boolean(row.chain_id)} ${Boolean(row.session_request)}`;
  return html`<section class="panel" aria-labelledby="tasks">
    <header><h1 id="tasks">${_("Tasks")}</h1>
      ${list.fresh.size > 0 && values.sort !== "oldest" && html`<button type="button" onClick=${() => list.begin()}>${say(_("Show what is new (%(n)s)"), { n: number(list.fresh.size) })}</button>`}
      <${Views} of="tasks" values=${values} usual=${USUAL} set=${change} /></header>
    <${Filters} label=${_("Filters of the tasks")} fields=${queue ? fields.slice(1, 3) : fields} values=${values} set=${change}>
      <div><label for="task-sort">${_("Order")}</label><select id="task-sort" value=${values.sort} onChange=${(event) => change({ sort: event.target.value })}>
        ${Object.entries(sorts).filter(([name]) => name !== "queue" || values.channel).map(([name, label]) => html`<option key=${name} value=${name} selected=${name === values.sort}>${label()}</option>`)}</select></div>
    <//>
    <${Bulk} kind="tasks" chosen=${chosen} list=${list} alike=${alike}
      every=${state.me.operate && list.rows.length > 0 && html`<${AllThatMatch} kind="tasks" path=${`${PATH}/ids`} of=${values} asked=${asked} row=${values.status ? { status: values.status } : null} />`} />
    <${Table} label=${_("Tasks")} kind="tasks" columns=${columns(values)} list=${list} chosen=${state.me.operate ? chosen : null} title=${(row) => row.title}
      open=${(row) => go(href("tasks", row.id))} sort=${{ value: values.sort, set: (sort) => change({ sort }) }}
      empty=${list.next ? _("None of those that were looked at fits; there is more to look at.") : _("No task fits.")} />
  </section>`;
}
