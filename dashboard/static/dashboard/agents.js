// Who runs tasks: presence, load, what each works on, and how that went. A table, or a grid for a wall.

import { get, query } from "./api.js";
import { channels, Filters } from "./filters.js";
import { number, short } from "./format.js";
import { _, say } from "./i18n.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { Ago, Empty, rove } from "./parts.js";
import { go, href, useValues } from "./route.js";
import { Rows } from "./rows.js";
import { state } from "./store.js";
import { Bulk, Table, useChosen } from "./table.js";
import { presence } from "./verbs.js";
import { Wall } from "./wall.js";

const SWEEPS = "sweeps"; // the channel of SPOTs
const RANK = { online: 0, lost: 1, offline: 2 };
const PAGE = 200;
const MOST = 5_000;
const AGAIN_AFTER = 20_000;
const USUAL = { text: "", presence: "", channel: "", sort: "presence", show: "" };

const nameOf = (row) => row.name || row.id;
export const tone = (row) => (row.draining ? "locked" : row.presence === "lost" ? "failed" : row.presence);
const rateOf = (row) => (row.succeeded + row.failed ? row.succeeded / (row.succeeded + row.failed) : null);
const loadOf = (row) => row.held / (row.capacity || 1);
const byName = (a, b) => nameOf(a).localeCompare(nameOf(b), undefined, { numeric: true }) || (a.id < b.id ? -1 : 1);
const missing = (a, b, of) => (of(a) === null ? 1 : 0) - (of(b) === null ? 1 : 0);

const sorts = {
  __proto__: null,
  presence: { label: () => _("at work first"), by: (a, b) => (RANK[a.presence] ?? 3) - (RANK[b.presence] ?? 3) || (b.held ? 1 : 0) - (a.held ? 1 : 0) },
  name: { label: () => _("name"), by: () => 0 },
  load: { label: () => _("highest load first"), by: (a, b) => loadOf(b) - loadOf(a) },
  success: { label: () => _("lowest success rate first"), by: (a, b) => missing(a, b, rateOf) || rateOf(a) - rateOf(b) },
  failure: { label: () => _("last failure first"), by: (a, b) => (b.last_failure?.at ?? "").localeCompare(a.last_failure?.at ?? "") },
  seen: { label: () => _("longest silent first"), by: (a, b) => a.last_seen_at.localeCompare(b.last_seen_at) },
};

const words = (row) => [row.id, row.name, row.version, ...(row.subscriptions ?? [])].join(" ").toLowerCase();

/** Whether it gets tasks of a channel; an agent without subscriptions works for all. */
function worksIn({ subscriptions = [], protocol }, name) {
  if (protocol === "spot") return name === SWEEPS;
  return !subscriptions.length || subscriptions.some((one) => one.toLowerCase() === name);
}

function fits(row, { text, presence: wanted, channel }) {
  const is = row.draining ? "draining" : row.presence;
  const name = channel && state.channels.get(channel)?.name?.toLowerCase();
  return (!text || words(row).includes(text.toLowerCase())) && (!wanted || wanted === is) &&
    (!name || worksIn(row, name));
}

/** All agents with how they did, read again from time to time, and patched by every message. */
function useAgents() {
  const [, paint] = useState(0);
  const known = useRef(new Map());
  const list = useRef(null);
  list.current ??= new Rows({ read: async () => ({ rows: [] }), paint: () => paint((count) => count + 1) });
  useEffect(() => {
    let wanted = true, timer = null;
    const load = async () => {
      const found = new Map();
      let after;
      do {
        const page = await get(query("/console/tables/agents", { after, limit: PAGE })).catch(() => null);
        if (!page || !wanted) break;
        for (const row of page.agents) found.set(row.id, row);
        after = page.next;
      } while (after && found.size < MOST);
      if (!wanted) return;
      if (found.size) known.current = found;
      list.current.known = true;
      paint((count) => count + 1);
      timer = setTimeout(load, document.hidden ? 3 * AGAIN_AFTER : AGAIN_AFTER);
    };
    load();
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, []);
  return { list: list.current, known: known.current };
}

/** The rows in their order. It is made anew when other rows, filters or another order are wanted, so
that an agent whose presence changes stays where it is. */
function useOrdered({ list, known }, values) {
  const order = useRef({ key: "", ids: [] });
  const all = new Map(known);
  for (const row of state.agents.values()) all.set(row.id, { succeeded: 0, failed: 0, ...known.get(row.id), ...row });
  const key = JSON.stringify([values.text, values.presence, values.channel, values.sort, list.known]);
  const { by } = sorts[values.sort] ?? sorts.presence;
  if (order.current.key !== key) {
    const chosen = [...all.values()].filter((row) => fits(row, values));
    order.current = { key, ids: chosen.sort((a, b) => by(a, b) || byName(a, b)).map((row) => row.id) };
  } else {
    const there = new Set(order.current.ids);
    for (const row of all.values()) if (!there.has(row.id) && fits(row, values)) order.current.ids.push(row.id);
  }
  const rows = order.current.ids.filter((id) => all.has(id)).map((id) => ({ ...all.get(id), stale: !fits(all.get(id), values) }));
  list.empty();
  list.known = true;
  list.add(rows);
  return list;
}

const taskLinks = (row, most) => (row.tasks ?? []).slice(0, most).map((task) => html`<a key=${task.id} href=${href("tasks", task.id)} tabIndex="-1" title=${task.title}>${task.title}</a> `);

function columns() {
  return [
    { name: "title", label: _("Agent"), width: "minmax(10rem, 2fr)", card: "title", sorts: ["name"], ways: ["ascending"],
      cell: (row) => html`<a href=${href("agents", row.id)} tabIndex="-1" title=${row.id}>${nameOf(row)}</a>` },
    { name: "status", label: _("Presence"), width: "7.5rem", card: "plain", sorts: ["presence"], ways: ["ascending"],
      cell: (row) => html`<span class="status ${tone(row)}" title=${row.drain_reason}>${presence(row)}</span>` },
    { name: "load", label: _("Load"), width: "6.5rem", card: "line", num: true, sorts: ["load"],
      cell: (row) => (row.capacity ? `${number(row.held)} / ${number(row.capacity)}` : number(row.held)) },
    { name: "work", label: _("Works on"), width: "minmax(9rem, 2.4fr)", from: 1000, card: "line", cell: (row, cards) => html`${taskLinks(row, 3)}${row.chain && !cards
      ? html`<span class="tag">${_("chain")} <a href=${href("chains", row.chain.id)} tabIndex="-1">${row.chain.name}</a></span>` : ""}${row.state === "setup_waiting"
      ? html`<span class="tag">${_("waits for its set-up")}</span>` : ""}` },
    { name: "channels", label: _("Channels"), width: "minmax(8rem, 1.4fr)", from: 1240, cell: (row) => html`<span title=${(row.subscriptions ?? []).join(", ")}>${(row.subscriptions ?? []).join(", ") || _("all")}</span>` },
    { name: "version", label: _("Version"), width: "6.5rem", from: 1440, cell: (row) => row.version ?? "–" },
    { name: "success", label: _("Success"), width: "8rem", from: 860, card: "line", num: true, sorts: ["success"], ways: ["ascending"], cell: (row) => (rateOf(row) === null ? "–"
      : say(_("%(share)s % of %(n)s"), { share: number(Math.floor(100 * rateOf(row))), n: number(row.succeeded + row.failed) })) },
    { name: "failure", label: _("Last failure"), width: "minmax(8rem, 1.2fr)", from: 960, card: "line", sorts: ["failure"], cell: (row) => (row.last_failure
      ? html`<${Ago} at=${row.last_failure.at} />${row.last_failure.task_id ? html` · <a href=${href("tasks", row.last_failure.task_id)} tabIndex="-1" title=${row.last_failure.error}>${row.last_failure.error || short(row.last_failure.task_id)}</a>` : ""}` : "–") },
    { name: "seen", label: _("Seen"), width: "6.5rem", from: 760, sorts: ["seen"], ways: ["ascending"], cell: (row) => html`<${Ago} at=${row.last_seen_at} />` },
  ];
}

export function Agents() {
  const [values, set] = useValues(USUAL);
  const chosen = useChosen(JSON.stringify([values.text, values.presence, values.channel]));
  const list = useOrdered(useAgents(), values);
  const fields = [
    { name: "text", label: _("Find"), kind: "find", hint: _("name, id, channel or version") },
    { name: "presence", label: _("Presence"), kind: "choice", options: [["online", _("online")], ["draining", _("draining")], ["offline", _("offline")], ["lost", _("lost")]] },
    { name: "channel", label: _("Channel"), kind: "choice", options: channels() },
  ];
  const wall = values.show === "grid";
  const ids = list.rows.map((row) => row.id);
  const all = ids.length > 0 && chosen.ids.size < ids.length && html`<button type="button" class="quiet" onClick=${() => chosen.put(ids)}>${say(_("Choose all %(n)s"), { n: number(ids.length) })}</button>`;
  return html`<section class="panel ${wall ? "wall-of" : ""}" aria-labelledby="agents">
    <header><h1 id="agents">${_("Agents")}</h1><span class="soft">${say(_("%(n)s shown"), { n: number(ids.length) })}</span>
      <button type="button" aria-pressed=${wall ? "true" : "false"} onClick=${() => set({ show: wall ? "" : "grid" })}>${wall ? _("Table") : _("Grid for a wall")}</button></header>
    ${wall ? html`<${Wall} rows=${[...list.rows].sort(byName)} />` : html`
      <${Filters} label=${_("Filters of the agents")} fields=${fields} values=${values} set=${set}>
        <div><label for="agent-sort">${_("Order")}</label><select id="agent-sort" value=${values.sort} onChange=${(event) => set({ sort: event.target.value })}>
          ${Object.entries(sorts).map(([name, { label }]) => html`<option key=${name} value=${name} selected=${name === values.sort}>${label()}</option>`)}</select></div>
      <//>
      <${Bulk} kind="agents" chosen=${chosen} list=${list} alike=${(row) => `${row.draining} ${row.presence} ${Boolean(row.held)}`} every=${state.me.operate && all} />
      <${Table} label=${_("Agents")} kind="agents" columns=${columns()} list=${list} chosen=${state.me.operate ? chosen : null} title=${nameOf}
        open=${(row) => go(href("agents", row.id))} sort=${{ value: values.sort, set: (sort) => set({ sort }) }}
        empty=${state.agents.size ? _("No agent fits.") : _("No agents yet. An agent appears with its first heartbeat or claim.")} />`}
  </section>`;
}

/** A few agents, those at work first: for the overview. */
export function AgentList({ most }) {
  const rows = [...state.agents.values()].sort((a, b) => sorts.presence.by(a, b) || byName(a, b));
  if (!rows.length) {
    return html`<${Empty}>${_("No agents yet. An agent appears with its first heartbeat or claim.")}<//>`;
  }
  return html`<ul class="list" onKeyDown=${rove}>
    ${rows.slice(0, most).map((row) => html`<${AgentRow} key=${row.id} row=${row} />`)}
    ${rows.length > most && html`<li><a href=${href("agents")}>${say(_("%(n)s more"), { n: number(rows.length - most) })}</a></li>`}
  </ul>`;
}

function AgentRow({ row }) {
  const load = row.capacity ? `${number(row.held)} / ${number(row.capacity)}` : number(row.held);
  return html`<li>
    <span class="status ${tone(row)}">${presence(row)}</span>
    <a class="name" data-item="agent" href=${href("agents", row.id)} title=${row.id}>${nameOf(row)}</a>
    ${row.state === "setup_waiting" && html`<span class="warn small">${_("waits for its set-up")}</span>`}
    <span class="soft small" title=${_("Tasks that it holds")}>${say(_("load %(n)s"), { n: load })}</span>
    <span class="grow small">${taskLinks(row, 1)}
      ${row.chain && html`<span class="tag">${_("chain")} <a href=${href("chains", row.chain.id)}>${row.chain.name}</a></span>`}</span>
    <span class="soft small">${_("seen")} <${Ago} at=${row.last_seen_at} /></span>
  </li>`;
}
