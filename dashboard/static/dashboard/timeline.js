// What happened, the latest first; cut to an agent, a channel, a type or a source.

import { get, query } from "./api.js";
import { moment, short, time } from "./format.js";
import { _, say } from "./i18n.js";
import { html, useEffect, useState } from "./preact.js";
import { Act, announce, Empty } from "./parts.js";
import { state } from "./store.js";
import { openTask } from "./task.js";

const PAGE = 100;

export function Events({ rows }) {
  if (!rows.length) return html`<${Empty}>${_("Nothing has happened yet.")}<//>`;
  return html`<ol class="list timeline">${rows.map((row) => html`<${EventRow} key=${row.id} row=${row} />`)}</ol>`;
}

/** Whether the actor needs no mention: it is the coordinator, or the agent that is shown already. */
const named = ({ actor, agent_id }) => actor === "coordinator" || actor === `agent:${agent_id}`;

function EventRow({ row }) {
  const channel = state.channels.get(row.channel_id);
  return html`<li data-event=${row.id}>
    <time datetime=${row.created_at} title=${moment(row.created_at)}>${time(row.created_at)}</time>
    <code>${row.type}</code>
    <span class="grow small">
      ${row.agent_id && html`<span>${row.agent_id} </span>`}
      ${row.task_id && html`<button type="button" class="link" onClick=${() => openTask(row.task_id)}
        aria-label=${say(_("Task %(id)s"), { id: short(row.task_id) })}>${short(row.task_id)}</button> `}
      ${channel && html`<span class="tag">${channel.name}</span> `}
      ${row.actor && !named(row) && html`<span class="soft">${say(_("by %(name)s"), { name: row.actor })} </span>`}
      ${row.reason && html`<span>“${row.reason}”</span>`}
    </span>
  </li>`;
}

const NONE = { agent_id: "", channel_id: "", type: "", source: "" };

const fits = (row, wanted) =>
  Object.entries(wanted).every(([name, value]) => !value || (row[name] ?? (name === "source" ? "coordinator" : "")) === value);

export function Timeline() {
  const [wanted, setWanted] = useState(NONE);
  const [read, setRead] = useState({ rows: [], next: null });
  const cut = Object.values(wanted).some(Boolean);
  const load = async (cursor) => {
    try {
      const data = await get(query("/v1/events", { ...wanted, limit: PAGE, cursor }));
      setRead((old) => ({ rows: cursor ? [...old.rows, ...data.events] : data.events, next: data.next_cursor ?? null }));
    } catch (refusal) {
      announce(refusal.message);
    }
  };
  useEffect(() => {
    const timer = setTimeout(load, 250);
    return () => clearTimeout(timer);
  }, [wanted]);
  const rows = new Map(read.rows.map((row) => [row.id, row]));
  for (const row of state.events) if (!cut || fits(row, wanted)) rows.set(row.id, row);
  const sorted = [...rows.values()].sort((a, b) => Number(b.id) - Number(a.id));
  const set = (name) => (event) => setWanted({ ...wanted, [name]: event.target.value });
  return html`<section class="panel" aria-labelledby="timeline">
    <header><h1 id="timeline">${_("Timeline")}</h1>
      ${cut && html`<button type="button" onClick=${() => setWanted(NONE)}>${_("Show all")}</button>`}</header>
    <div class="filters" role="search" aria-label=${_("Filters of the timeline")}>
      <div><label for="by-agent">${_("Agent")}</label>
        <input id="by-agent" value=${wanted.agent_id} onInput=${set("agent_id")} list="known-agents" />
        <datalist id="known-agents">${[...state.agents.keys()].map((id) => html`<option key=${id} value=${id} />`)}</datalist></div>
      <div><label for="by-channel">${_("Channel")}</label>
        <select id="by-channel" value=${wanted.channel_id} onChange=${set("channel_id")}><option value="">${_("all")}</option>
          ${[...state.channels.values()].map((row) => html`<option key=${row.id} value=${row.id}>${row.name}</option>`)}</select></div>
      <div><label for="by-type">${_("Type")}</label>
        <input id="by-type" value=${wanted.type} onInput=${set("type")} list="known-types" />
        <datalist id="known-types">${[...new Set(sorted.map((row) => row.type))].map((type) => html`<option key=${type} value=${type} />`)}</datalist></div>
      <div><label for="by-source">${_("Source")}</label>
        <select id="by-source" value=${wanted.source} onChange=${set("source")}><option value="">${_("all")}</option>
          <option value="coordinator">${_("coordinator")}</option><option value="agent">${_("agents")}</option></select></div>
    </div>
    <${Events} rows=${sorted} />
    ${read.next && html`<p class="empty"><${Act} does=${() => load(read.next)}>${_("Older")}<//></p>`}
  </section>`;
}
