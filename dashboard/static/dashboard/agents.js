// Who runs tasks: presence, load, what each works on.

import { number } from "./format.js";
import { _, say } from "./i18n.js";
import { html, useState } from "./preact.js";
import { Ago, Empty, rove } from "./parts.js";
import { state } from "./store.js";
import { openTask } from "./task.js";
import { presence, Verbs } from "./verbs.js";

const RANK = { online: 0, lost: 1, offline: 2 };
const PAGE = 100;

export function Agents() {
  const [wanted, setWanted] = useState("");
  return html`<section class="panel" aria-labelledby="agents">
    <header><h1 id="agents">${_("Agents")}</h1>
      <label for="agent-search">${_("Find")}</label>
      <input id="agent-search" type="search" style=${{ width: "14rem" }} value=${wanted}
        onInput=${(event) => setWanted(event.target.value)} /></header>
    <${AgentList} wanted=${wanted} most=${PAGE} />
  </section>`;
}

const matches = (row, wanted) =>
  [row.id, row.name, ...(row.subscriptions ?? [])].join(" ").toLowerCase().includes(wanted.toLowerCase());

/** Those at work first, then those present, then the rest. */
function sorted(wanted) {
  return [...state.agents.values()].filter((row) => matches(row, wanted)).sort((a, b) =>
    (RANK[a.presence] ?? 3) - (RANK[b.presence] ?? 3) || (b.held ? 1 : 0) - (a.held ? 1 : 0) || (a.id < b.id ? -1 : 1));
}

export function AgentList({ wanted = "", most, brief = false }) {
  const [shown, setShown] = useState(most);
  const rows = sorted(wanted);
  if (!rows.length) {
    return html`<${Empty}>${wanted ? _("No agent fits.") : _("No agents yet. An agent appears with its first heartbeat or claim.")}<//>`;
  }
  return html`<ul class="list" onKeyDown=${rove}>
    ${rows.slice(0, shown).map((row) => html`<${AgentRow} key=${row.id} row=${row} brief=${brief} />`)}
    ${rows.length > shown && html`<li><button type="button" onClick=${() => setShown(shown + PAGE)}>
      ${say(_("Show more (%(n)s)"), { n: number(rows.length - shown) })}</button></li>`}
  </ul>`;
}

const tone = (row) => (row.draining ? "locked" : row.presence === "lost" ? "failed" : row.presence);

function AgentRow({ row, brief }) {
  const tasks = row.tasks ?? [];
  const load = row.capacity ? `${number(row.held)} / ${number(row.capacity)}` : number(row.held);
  return html`<li>
    <span class="status ${tone(row)}">${presence(row)}</span>
    <span class="name" title=${row.id}>${row.name || row.id}</span>
    ${row.state === "setup_waiting" && html`<span class="warn small">${_("waits for its set-up")}</span>`}
    ${row.drain_reason && html`<span class="soft small">${row.drain_reason}</span>`}
    <span class="soft small" title=${_("Tasks that it holds")}>${say(_("load %(n)s"), { n: load })}</span>
    <span class="grow small">
      ${tasks.slice(0, brief ? 1 : 5).map((task) => html`<button type="button" class="link cut" data-item="task" title=${task.title} key=${task.id}
        onClick=${() => openTask(task.id, task.title)}>${task.title}</button> `)}
      ${row.chain && html`<span class="tag">${_("chain")} <a href="#/board/${row.chain.channel_id}/${row.chain.id}">${row.chain.name}</a></span>`}
    </span>
    ${!brief && (row.subscriptions ?? []).slice(0, 6).map((name) => html`<span class="tag" key=${name}>${name}</span>`)}
    <span class="soft small">${_("seen")} <${Ago} at=${row.last_seen_at} /></span>
    ${!brief && html`<${Verbs} kind="agents" row=${row} title=${row.name || row.id} />`}
  </li>`;
}
