// The board of a channel: its chains as cards, its tasks without chain in three columns.

import { columnOf, COLUMNS, inOrder, sorted, sortedChains } from "./board_state.js";
import { claimFor, newChain, newChannel, newTask, requestSession } from "./forms.js";
import { number } from "./format.js";
import { _, say } from "./i18n.js";
import { html, useEffect, useState } from "./preact.js";
import { Act, Ago, announce, Bar, Empty, rove, Status, tasksOf } from "./parts.js";
import { go as goTo, href } from "./route.js";
import { closeChain, moreChains, moreOf, readChain, showBoard, state } from "./store.js";
import { AgentLink, ChainLink, TaskLink } from "./links.js";
import { Gone, ThingVerbs, useOpen } from "./thing.js";

const names = { queued: () => _("Queued"), in_progress: () => _("In progress"), done: () => _("Done") };
const MOST_DRAWN = 200;

const announceRefusal = (refusal) => announce(refusal.message);

/** The board of a channel, with a chain opened; without an id of the first, by name. */
export function Board({ id, more: chain }) {
  const [refusal, setRefusal] = useState(null);
  const rows = [...state.channels.values()].sort((a, b) => a.name.localeCompare(b.name));
  const wanted = id ?? rows[0]?.id;
  // The page knows the first channels; a further one is read with its board.
  const channel = state.channels.get(wanted) ?? (state.board.id === wanted ? state.board.channel : null);
  const there = state.channels.has(wanted);
  useEffect(() => {
    setRefusal(null);
    if (wanted) showBoard(wanted).catch(setRefusal);
  }, [wanted, there]);
  useEffect(() => {
    if (chain && state.board.loaded) readChain(chain).catch(announceRefusal);
  }, [chain, state.board.loaded]);
  useOpen("channels", channel, channel?.name);
  if (wanted && refusal?.status === 404) return html`<${Gone} kind="channels" />`;
  if (wanted && !channel) return html`<${Empty}>${refusal?.message ?? _("One moment…")}<//>`;
  if (!channel) {
    return html`<section class="panel"><header><h1>${_("Board")}</h1></header>
      <${Empty}>${_("No channels yet. Agents and tasks meet in channels.")}<br />
        ${state.me.operate && html`<button type="button" class="primary" onClick=${() => newChannel((made) => go(made))}>${_("New channel")}</button>`}<//></section>`;
  }
  const shown = state.board.id === channel.id && state.board.loaded;
  return html`<${Head} channel=${channel} rows=${rows} />
    ${shown ? html`<${Chains} channel=${channel} /><${Columns} channel=${channel} />`
      : html`<${Empty}>${_("One moment…")}<//>`}`;
}

const go = (id) => {
  goTo(href("board", id));
};

function Head({ channel, rows }) {
  const pick = (event) => go(event.target.value);
  return html`<div class="board-head">
    <h1 class="sr">${say(_("Board of %(name)s"), channel)}</h1>
    <div class="pick"><label for="channel">${_("Channel")}</label>
      <select id="channel" value=${channel.id} onChange=${pick}>
        ${rows.map((row) => html`<option key=${row.id} value=${row.id} selected=${row.id === channel.id}>${row.name}</option>`)}
      </select></div>
    <div class="row">
      ${state.me.operate && html`
        <button type="button" class="primary" onClick=${() => newTask(channel.id)}>${_("New task")}</button>
        <button type="button" onClick=${() => newChain(channel.id)}>${_("New chain")}</button>
        <button type="button" onClick=${() => newChannel(go)}>${_("New channel")}</button>
        <button type="button" onClick=${() => claimFor(channel)}>${_("Claim for an agent")}</button>
        <button type="button" onClick=${() => requestSession(channel)}>${_("Ask for a session")}</button>`}
      <${ThingVerbs} kind="channels" row=${channel} title=${channel.name} quiet=${!channel.paused_at} />
    </div>
    ${channel.paused_at && html`<p class="warn">${_("Paused: claims get nothing.")} ${channel.pause_reason}</p>`}
  </div>`;
}

function Chains({ channel }) {
  const { board } = state;
  const rows = sortedChains(board.chains);
  return html`<section aria-labelledby="chains">
    <h2 id="chains">${_("Chains")} <span class="count">${number(rows.length)}${board.next ? "+" : ""}</span></h2>
    ${rows.length === 0 && html`<${Empty}>${say(_("No chains in %(name)s."), channel)}<//>`}
    <div class="chains" onKeyDown=${rove}>${rows.map((row) => html`<${Chain} key=${row.id} row=${row} opened=${board.opened.get(row.id)} />`)}</div>
    ${board.next && html`<p class="empty"><${Act} does=${() => moreChains().catch(announceRefusal)}>${_("More chains")}<//></p>`}
  </section>`;
}

function Chain({ row, opened }) {
  const toggle = () => (opened ? closeChain(row.id) : readChain(row.id).catch(announceRefusal));
  const ended = ["done", "failed", "cancelled"].reduce((sum, name) => sum + (row.counts[name] ?? 0), 0);
  return html`<article class="panel chain ${row.status} ${opened ? "open" : ""}" data-chain=${row.id}>
    <header>
      <button type="button" class="toggle" data-item="chain" aria-expanded=${opened ? "true" : "false"} onClick=${toggle}>
        <span>${row.name}</span></button>
      <${Status} status=${row.status} />
      ${row.locked?.length > 0 && html`<span class="count bad">${say(_("%(n)s locked"), { n: row.locked.length })}</span>`}
      <${Bar} counts=${row.counts} total=${row.total} />
      <span class="soft small">${number(ended)} / ${number(row.total)}</span>
      <span class="small">${row.owner ? html`<span class="soft">${_("owner")}</span> <${AgentLink} id=${row.owner} />` : html`<span class="soft">${_("no owner")}</span>`}</span>
      <${ChainLink} class="page" id=${row.id} aria-label=${say(_("Page of %(name)s"), row)}>↗<//>
    </header>
    ${opened && html`<div class="row body">
      ${state.me.operate && html`<button type="button" onClick=${() => newTask(row.channel_id, row)}>${_("New task")}</button>`}
      <${ThingVerbs} kind="chains" row=${row} title=${row.name} />
      ${row.on_failure === "stop" && html`<span class="tag">${_("stops when a task fails")}</span>`}
    </div>
    <${ChainTasks} row=${row} opened=${opened} />`}
  </article>`;
}

function ChainTasks({ row, opened }) {
  const tasks = inOrder(opened.tasks);
  const of = (name) => tasks.filter((task) => columnOf(task.status) === name);
  const last = tasks.at(-1)?.sequence;
  return html`<div class="columns">${COLUMNS.map((name) => html`<section key=${name} aria-label="${names[name]()}: ${row.name}">
      <h3>${names[name]()} <span class="count">${number(of(name).length)}${opened.next ? "+" : ""}</span></h3>
      <${Cards} tasks=${of(name)} />
    </section>`)}</div>
    ${opened.next && html`<p class="empty"><${Act} does=${() => readChain(row.id, last).catch(announceRefusal)}>${_("More tasks")}<//></p>`}`;
}

function Columns({ channel }) {
  const { columns } = state.board;
  return html`<section class="panel" aria-labelledby="alone">
    <header><h2 id="alone">${_("Tasks without a chain")}</h2></header>
    <div class="columns">${COLUMNS.map((name) => html`<section key=${name} data-column=${name} aria-label=${names[name]()}>
      <h3>${names[name]()} <span class="count">${number(columns[name].count)}${columns[name].more ? "+" : ""}</span></h3>
      <${Cards} tasks=${sorted(name, columns[name].tasks)} />
      ${columns[name].next && html`<p class="empty"><${Act} label=${say(_("More of %(name)s in %(channel)s"), { name: names[name](), channel: channel.name })}
        does=${() => moreOf(name).catch(announceRefusal)}>${_("More")}<//></p>`}
    </section>`)}</div>
  </section>`;
}

/** Not all cards at once: browsers lay out a few hundred quickly. */
function Cards({ tasks }) {
  const [drawn, setDrawn] = useState(MOST_DRAWN);
  if (!tasks.length) return html`<p class="soft small">${_("Nothing here.")}</p>`;
  return html`<ul class="cards" onKeyDown=${rove}>
    ${tasks.slice(0, drawn).map((task) => html`<${Card} key=${task.id} task=${task} />`)}
    ${tasks.length > drawn && html`<li><button type="button" onClick=${() => setDrawn(drawn + MOST_DRAWN)}>
      ${say(_("Show more (%(n)s)"), { n: tasksOf(tasks.length - drawn) })}</button></li>`}
  </ul>`;
}

function Card({ task }) {
  return html`<li class="card ${task.status}" data-task=${task.id}>
    <${TaskLink} class="title" data-item="task" id=${task.id}>
      ${task.sequence ? `${task.sequence}. ` : ""}${task.title}<//>
    <span class="row small">
      <${Status} status=${task.status} />
      ${task.assigned_agent_id && html`<${AgentLink} id=${task.assigned_agent_id} />`}
      ${task.priority > 0 && html`<span class="tag">${say(_("priority %(n)s"), { n: task.priority })}</span>`}
      ${task.cancel_asked_at && html`<span class="warn">${_("cancel asked")}</span>`}
      ${task.dead_letter && html`<span class="tag alarm">${_("dead letter")}</span>`}
      <span class="soft"><${Ago} at=${task.finished_at ?? task.claimed_at ?? task.created_at} /></span>
    </span>
  </li>`;
}
