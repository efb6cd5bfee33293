// What happened, the latest first; cut to an agent, a channel, a type or a source.

import { get, query } from "./api.js";
import { given, moment, now, short, time } from "./format.js";
import { _, say } from "./i18n.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { Act, announce, Empty } from "./parts.js";
import { state } from "./store.js";
import { AgentLink, ChainLink, ChannelLink, JobLink, TaskLink } from "./links.js";
import { useValues } from "./route.js";

const PAGE = 100;

/** Rows of the journal; `about`: the thing that all of them name, which they need not name again. */
export function Events({ rows, about }) {
  if (!rows.length) return html`<${Empty}>${_("Nothing has happened yet.")}<//>`;
  return html`<ol class="list timeline">${rows.map((row) => html`<${EventRow} key=${row.id} row=${row} about=${about} />`)}</ol>`;
}

// An agent's events have no name but the type that it chose.
const eventNames = given.events;

/** Live rows leave the source out unless it is an agent. */
const sourceOf = ({ source }) => source ?? "coordinator";

/** Whether the actor needs no mention: it is the coordinator, or the agent that is shown already. */
const isKnown = ({ actor, agent_id }) => actor === "coordinator" || actor === `agent:${agent_id}`;

function EventRow({ row, about }) {
  const named = (name) => row[name] && name !== about;
  return html`<li data-event=${row.id}>
    <time datetime=${row.created_at} title=${moment(row.created_at)}>${time(row.created_at)}</time>
    ${sourceOf(row) === "coordinator" && eventNames[row.type]
      ? html`<span class="what" title=${row.type}>${eventNames[row.type]}</span>` : html`<code>${row.type}</code>`}
    ${row.source === "agent" && html`<span class="tag">${_("says the agent")}</span>`}
    <span class="grow small row">
      ${named("agent_id") && html`<${AgentLink} id=${row.agent_id} />`}
      ${named("task_id") && html`<${TaskLink} id=${row.task_id}
        aria-label=${say(_("Task %(id)s"), { id: short(row.task_id) })} />`}
      ${named("chain_id") && about !== "task_id" && html`<${ChainLink} id=${row.chain_id}
        aria-label=${say(_("Chain %(id)s"), { id: short(row.chain_id) })}>${_("Chain")}<//>`}
      ${named("job_id") && about !== "task_id" && html`<${JobLink} id=${row.job_id} />`}
      ${named("channel_id") && !about && state.channels.has(row.channel_id) && html`<${ChannelLink} class="tag" id=${row.channel_id} />`}
      ${row.actor && !isKnown(row) && html`<span class="soft">${say(_("by %(name)s"), { name: row.actor })}</span>`}
      ${row.reason && html`<span>“${row.reason}”</span>`}
    </span>
  </li>`;
}

const NONE = { agent_id: "", channel_id: "", type: "", source: "", within: "", task_id: "", chain_id: "", job_id: "" };
const THINGS = { task_id: TaskLink, chain_id: ChainLink, job_id: JobLink };
const HOURS = { __proto__: null, hour: 1, day: 24, week: 7 * 24 };

/** When the time that is shown begins; blank: at the beginning. */
const beginning = (within) => (HOURS[within] ? new Date(now() - HOURS[within] * 3_600_000).toISOString() : "");

const fits = (row, { within, ...wanted }) =>
  Object.entries(wanted).every(([name, value]) => !value || (name === "source" ? sourceOf(row) : row[name]) === value)
  && new Date(row.created_at) >= new Date(beginning(within) || 0);

export function Timeline() {
  const [wanted, setWanted] = useValues(NONE);
  const [read, setRead] = useState({ rows: [], next: null });
  const asked = JSON.stringify(wanted);
  const latest = useRef(asked);
  latest.current = asked;
  const cut = Object.values(wanted).some(Boolean);
  const load = async (cursor) => {
    try {
      const { within, ...filters } = wanted;
      const data = await get(query("/v1/events", { ...filters, created_after: beginning(within), limit: PAGE, cursor }));
      if (latest.current !== asked) return; // something else is wanted by now
      setRead((old) => ({ rows: cursor ? [...old.rows, ...data.events] : data.events, next: data.next_cursor ?? null }));
    } catch (refusal) {
      announce(refusal.message);
    }
  };
  useEffect(() => {
    const timer = setTimeout(load, 250);
    return () => clearTimeout(timer);
  }, [asked]);
  const rows = new Map(read.rows.filter((row) => fits(row, wanted)).map((row) => [row.id, row]));
  for (const row of state.events) if (!cut || fits(row, wanted)) rows.set(row.id, row);
  const sorted = [...rows.values()].sort((a, b) => Number(b.id) - Number(a.id));
  const set = (name) => (event) => setWanted({ [name]: event.target.value }, { replace: event.type === "input" });
  const about = Object.keys(THINGS).filter((name) => wanted[name]);
  return html`<section class="panel" aria-labelledby="timeline">
    <header><h1 id="timeline">${_("Timeline")}</h1>
      ${cut && html`<button type="button" onClick=${() => setWanted(NONE)}>${_("Show all")}</button>`}
      ${about.map((name) => html`<span class="tag" key=${name}>${_("Only:")} <${THINGS[name]} id=${wanted[name]} /></span>`)}</header>
    <div class="filters" role="search" aria-label=${_("Filters of the timeline")}>
      <div><label for="by-agent">${_("Agent")}</label>
        <input id="by-agent" value=${wanted.agent_id} onInput=${set("agent_id")} list="known-agents" />
        <datalist id="known-agents">${[...state.agents.keys()].map((id) => html`<option key=${id} value=${id} />`)}</datalist></div>
      <div><label for="by-channel">${_("Channel")}</label>
        <select id="by-channel" value=${wanted.channel_id} onChange=${set("channel_id")}><option value="">${_("all")}</option>
          ${[...state.channels.values()].map((row) => html`<option key=${row.id} value=${row.id}>${row.name}</option>`)}</select></div>
      <div><label for="by-type">${_("Type")}</label>
        <input id="by-type" value=${wanted.type} onInput=${set("type")} list="known-types" />
        <datalist id="known-types">${[...new Set([...Object.keys(eventNames), ...sorted.map((row) => row.type)])].map((type) => html`<option key=${type} value=${type}>${eventNames[type]}</option>`)}</datalist></div>
      <div><label for="by-source">${_("Source")}</label>
        <select id="by-source" value=${wanted.source} onChange=${set("source")}><option value="">${_("all")}</option>
          <option value="coordinator">${_("coordinator")}</option><option value="agent">${_("agents")}</option></select></div>
      <div><label for="by-time">${_("Time")}</label>
        <select id="by-time" value=${wanted.within} onChange=${set("within")}><option value="">${_("all")}</option>
          <option value="hour">${_("last hour")}</option><option value="day">${_("last 24 hours")}</option><option value="week">${_("last 7 days")}</option></select></div>
    </div>
    <${Events} rows=${sorted} />
    ${read.next && html`<p class="empty"><${Act} does=${() => load(read.next)}>${_("Older")}<//></p>`}
  </section>`;
}
