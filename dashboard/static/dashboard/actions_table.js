// What people did: one entry for each use of a verb, which unfolds to its rows with what changed.

import { get, query } from "./api.js";
import { Filters, period } from "./filters.js";
import { because, number, short, word } from "./format.js";
import { _, ngettext, say } from "./i18n.js";
import { html, useState } from "./preact.js";
import { Ago, announce } from "./parts.js";
import { go, href, useValues } from "./route.js";
import { useRows } from "./rows.js";
import { state } from "./store.js";
import { Table } from "./table.js";

const PATH = "/console/tables/actions";
const PAGE = 50;
const PAGE_OF_ROWS = 100;
const USUAL = { actor: "", verb: "", kind: "", refused: "", age: "", from: "", to: "", use: "" };

const UUID = /^[0-9a-f-]{36}$/;

// Where the things of a kind have pages.
const pages = { task: "tasks", chain: "chains", job: "jobs", agent: "agents", channel: "channels" };
const kinds = {
  task: () => _("Task"), chain: () => _("Chain"), job: () => _("Job"), agent: () => _("Agent"), channel: () => _("Channel"),
};

const asked = ({ actor, verb, kind, refused, ...ages }) => ({ actor, verb, kind, refused, ...period(ages) });

// What the audit keeps of things, as people call it.
const names = {
  status: () => _("Status"), agent: () => _("Agent"), owner: () => _("Owner"), priority: () => _("Priority"),
  attempts: () => _("Attempts"), cancel_asked: () => _("Cancellation asked"), draining: () => _("Drains"),
  announced: () => _("Presence"), subscriptions: () => _("Channels"), title: () => _("Title"), total: () => _("Tasks"),
  message: () => _("Message"), failed: () => _("Failures"), completed: () => _("Completed"), cancelled: () => _("Cancelled"), dead_letter: () => _("Cause"),
};

const named = (name) => names[name]?.() ?? name.replaceAll("_", " ");

const shown = (name, value) => {
  if (name === "status") return word(value);
  if (name === "dead_letter") return because(value);
  return value === true ? _("yes") : value === false ? _("no") : worded(value);
};

const worded = (value) => (value === null || value === undefined || value === "" ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value));

/** The columns that changed, each with what it was and what it is. */
export function changes(before, after) {
  const columns = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return columns.map((name) => [named(name), shown(name, before[name] ?? ""), shown(name, after[name] ?? "")]).filter(([, was, is]) => was !== is);
}

function Diff({ row }) {
  const found = changes(row.before, row.after);
  if (row.refused) return html`<span class="alarm-text" title=${row.message}>${_("refused")}: ${row.message || row.refused}</span>`;
  if (!Object.keys(row.after).length && found.length) return html`<span title=${found.map(([name, was]) => `${name}: ${was}`).join("\n")}>${_("deleted")} <del class="soft">${found[0][1]}</del></span>`;
  if (!found.length) return html`<span class="soft">${_("nothing changed")}</span>`;
  const all = found.map(([name, was, is]) => `${name}: ${was} → ${is}`).join("\n");
  return html`<span title=${all}>${found.map(([name, was, is]) => html`<span class="diff" key=${name}>${name} <del>${was}</del> → <ins>${is}</ins></span>`)}</span>`;
}

/** A thing by its title; one that is gone, by the end of its id. */
function object(kind, id, title) {
  const called = title ?? (UUID.test(id) ? short(id) : id);
  if (!pages[kind]) return title ? html`<span title=${title}>${title}</span>` : html`<code title=${id}>${called}</code>`;
  return html`<a href=${href(pages[kind], id)} tabIndex="-1" title=${`${called}\n${id}`}>${called}</a>`;
}

const manyOf = (row) => (row.count === 1 ? object(row.kind, row.objects[0], row.titles[row.objects[0]])
  : say(ngettext("%(n)s row", "%(n)s rows", row.count), { n: number(row.count) }));

function columns(toggle, opened) {
  return [
    { name: "at", label: _("When"), width: "7.5rem", card: "line", cell: (row) => (row.of ? "" : html`<${Ago} at=${row.created_at} />`) },
    { name: "actor", label: _("Who"), width: "minmax(7rem, 1fr)", card: "line", cell: (row) => (row.of ? "" : row.actor) },
    { name: "title", label: _("What"), width: "minmax(11rem, 1.6fr)", card: "title", cell: (row) => (row.more
      ? html`<button type="button" class="link" tabIndex="-1" onClick=${row.more}>${_("More rows")}</button>`
      : row.of ? object(row.kind, row.object_id, row.title)
      : html`<button type="button" class="quiet unfold" tabIndex="-1" aria-label=${say(_("Rows of “%(what)s”"), { what: row.verb_label })} onClick=${() => toggle(row)}>${opened.has(row.id) ? "▾" : "▸"}</button>
        <b>${row.verb_label}</b> <span class="soft">${row.kind_label}</span>`) },
    { name: "rows", label: _("On"), width: "minmax(8rem, 1.4fr)", card: "line", cell: (row) => (row.of ? "" : manyOf(row)) },
    { name: "refused", label: _("Refused"), width: "6.5rem", num: true, from: 900, card: "line", cell: (row) => (row.of ? "" : row.refused ? html`<span class="bad-number">${number(row.refused)}</span>` : "–") },
    { name: "reason", label: _("Reason and changes"), width: "minmax(12rem, 3.4fr)", card: "line", cell: (row) => (row.more ? ""
      : row.of ? html`<${Diff} row=${row} />` : html`<span title=${row.reason}>“${row.reason}”</span>`) },
  ];
}

/** The rows of opened uses, below each of them. */
function useUnfolded() {
  const [opened, setOpened] = useState(new Map());
  const put = (id, found) => setOpened((old) => new Map(old).set(id, found));
  const read = async (use, known) => {
    try {
      const data = await get(query(`${PATH}/${use.id}`, { after: known?.next, limit: PAGE_OF_ROWS }));
      put(use.id, { rows: [...(known?.rows ?? []), ...data.rows], next: data.next });
    } catch (refusal) {
      announce(refusal.message);
    }
  };
  const toggle = (use) => {
    if (!opened.has(use.id)) return read(use);
    setOpened((old) => {
      const next = new Map(old);
      next.delete(use.id);
      return next;
    });
  };
  const below = (use) => {
    const found = opened.get(use.id);
    if (!found) return [];
    const rows = found.rows.map((row) => ({ ...row, id: `${use.id}/${row.id}`, of: use }));
    return found.next ? [...rows, { id: `${use.id}/more`, of: use, more: () => read(use, found) }] : rows;
  };
  return { opened, toggle, below };
}

export function Actions() {
  const [values, set] = useValues(USUAL);
  const { opened, toggle, below } = useUnfolded();
  const list = useRows({
    key: JSON.stringify(values),
    read: async (after) => {
      const data = await get(query(PATH, { ...asked(values), after, limit: PAGE }));
      return { rows: data.uses, next: data.next };
    },
  });
  const rows = list.rows.flatMap((use) => [use, ...below(use)]);
  const shown = {
    rows, next: list.next, known: list.known, loading: list.loading, problem: list.problem, dry: list.dry,
    more: () => list.more(), begin: () => list.begin(), get: (id) => rows.find((row) => row.id === id),
  };
  const seen = (name) => list.rows.map((row) => [row[name], row[`${name}_label`]]);
  const verbs = [...new Map([...Object.values(state.verbs).flat().map((verb) => [verb.name, verb.label]), ...seen("verb")])];
  const fields = [
    { name: "actor", label: _("Who"), options: [...new Set(list.rows.map((row) => row.actor))].map((actor) => [actor, ""]) },
    { name: "verb", label: _("What"), kind: "choice", options: verbs },
    { name: "kind", label: _("Kind"), kind: "choice", options: [...new Map([...Object.entries(kinds).map(([kind, label]) => [kind, label()]), ...seen("kind")])] },
    { name: "refused", label: _("Refused"), kind: "choice", options: [["true", _("at least one")]] },
    { name: "age", label: _("When"), kind: "age" },
  ];
  const open = (row) => {
    if (row.more) row.more();
    else if (row.of && pages[row.kind]) go(href(pages[row.kind], row.object_id));
    else if (!row.of) toggle(row);
  };
  const marks = {
    tree: true, of: (row) => (row.of ? "within" : ""), level: (row) => (row.of ? 2 : 1),
    expanded: (row) => (row.of ? undefined : opened.has(row.id) ? "true" : "false"),
  };
  return html`<section class="panel" aria-labelledby="actions">
    <header><h1 id="actions">${_("Operator actions")}</h1><button type="button" onClick=${() => list.begin()}>${_("Read again")}</button></header>
    <${Filters} label=${_("Filters of the actions")} fields=${fields} values=${values} set=${set} />
    <${Table} label=${_("Operator actions")} columns=${columns(toggle, opened)} list=${shown} title=${(row) => (row.of ? row.title ?? row.object_id ?? "" : row.verb_label)} open=${open} marks=${marks}
      empty=${list.next ? _("None of those that were looked at fits; there is more to look at.") : _("Nobody has used a verb.")} />
  </section>`;
}
