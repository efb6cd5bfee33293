// What the pages of all things have in common: the head with its verbs, why, facts, and being gone.

import { _, say } from "./i18n.js";
import { AgentLink, ChannelLink } from "./links.js";
import { Menu } from "./menu.js";
import { Empty, Id } from "./parts.js";
import { html, useEffect } from "./preact.js";
import { setOpen, state } from "./store.js";
import { begin, verbsFor } from "./verbs.js";

const gone = {
  tasks: () => _("There is no such task any more."),
  chains: () => _("There is no such chain any more."),
  jobs: () => _("There is no such job any more."),
  agents: () => _("There is no such agent any more."),
  channels: () => _("There is no such channel any more."),
};

const lists = { tasks: "#/tasks", chains: "#/board", jobs: "#/jobs", agents: "#/agents", channels: "#/board" };
const listed = {
  tasks: () => _("Tasks"), chains: () => _("Board"), jobs: () => _("Jobs"), agents: () => _("Agents"), channels: () => _("Board"),
};

/** What an address shows of which the thing is gone. */
export const Gone = ({ kind }) => html`<section class="panel">
  <header><h1>${gone[kind]()}</h1></header>
  <${Empty}>${_("It was deleted, or the address is wrong. What ended long ago is deleted after some time.")}<br />
    <a href=${lists[kind]}>${listed[kind]()}</a> · <a href="#/search">${_("Search")}</a> · <a href="#/">${_("Overview")}</a><//>
</section>`;

/** What is shown instead of a thing: that it is read, that it is gone, or why it cannot be read. */
export function Missing({ kind, refusal }) {
  if (!refusal) return html`<div aria-busy="true"><${Empty}>${_("One moment…")}<//></div>`;
  if (refusal.status === 404) return html`<${Gone} kind=${kind} />`;
  return html`<p class="alarm" role="alert">${refusal.message}</p>`;
}

/** While its page is shown, commands are offered for a thing, and the tab has its name. */
export function useOpen(kind, row, title) {
  useEffect(() => {
    if (!row) return undefined;
    setOpen({ kind, row, title });
    document.title = `${title} · ${_("Coordinator")}`;
    return () => setOpen(null);
  }, [kind, row, title]);
}

const ON_BOARD = new Set(["new_task", "new_chain", "claim_for", "request_session"]);

/** The verb that fits first as a button, unless `quiet`; the others in one menu. */
export function ThingVerbs({ kind, row, title, quiet = false }) {
  const all = verbsFor(kind, row).filter((verb) => !verb.alone && !(kind === "channels" && ON_BOARD.has(verb.name)))
    .map((verb) => ({ ...verb, use: () => begin(kind, verb, [row.id], title, row) }));
  const first = !quiet && all.find((verb) => !verb.danger);
  const rest = all.filter((verb) => verb !== first);
  const named = (verb) => `${verb.label}: ${title}`;
  return html`<div class="verbs">
    ${first && html`<button type="button" class="primary" aria-label=${named(first)} title=${first.help} onClick=${first.use}>${first.label}</button>`}
    ${rest.length > 0 && html`<${Menu} label=${say(_("More for %(title)s"), { title })}>
      ${rest.map((verb) => html`<button type="button" key=${verb.name} class=${verb.danger ? "danger" : ""} aria-label=${named(verb)} onClick=${verb.use}>
        ${verb.label}${verb.help && html`<small>${verb.help}</small>`}</button>`)}
    <//>`}
  </div>`;
}

/** The head of a page: where the thing belongs, its title, its state, its id, its verbs. */
export const Head = ({ trail = [], title, id, children, verbs }) => html`<header class="thing-head">
  ${trail.some(Boolean) && html`<p class="trail">${trail.filter(Boolean).map((part, at) => html`<span key=${at}>${part}</span>`)}</p>`}
  <div class="thing-title"><h1 title=${title}>${title}</h1>${verbs}</div>
  <div class="row">${children}${id && html`<${Id} id=${id} />`}</div>
</header>`;

/** Names and values; what has none is left out. */
export const Facts = ({ rows }) => html`<dl class="facts">${rows
  .filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false)
  .map(([name, value]) => html`<dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>`;

export const Part = ({ id, title, aside, children }) => html`<section class="panel" aria-labelledby=${id}>
  <header><h2 id=${id}>${title}</h2>${aside}</header>${children}</section>`;

const plural = { task: "tasks", agent: "agents", channel: "channels", chain: "chains", job: "jobs" };

const names = {
  channels: (id) => state.channels.get(id)?.name,
  agents: (id) => state.agents.get(id)?.name || id,
  chains: (id) => state.board.chains.get(id)?.name,
};

/** Each reason, with the verb that would put it right where this person may use it. */
export const Why = ({ rows, title, label }) => html`<${Part} id="why" title=${label}>
  <ol class="why">${rows.map((answer) => html`<${Reason} key=${answer.code} answer=${answer} title=${title} />`)}</ol><//>`;

function Reason({ answer, title }) {
  const { do: remedy } = answer;
  const kind = remedy && (plural[remedy.kind] ?? remedy.kind);
  const verb = remedy && (state.verbs[kind] ?? []).find((one) => one.name === remedy.verb && one.allowed);
  // An agent and a channel are both resumed: a button says which.
  const named = remedy && (names[kind]?.(remedy.id) ?? title);
  const on = { channels: _("Channel"), agents: _("Agent"), chains: _("Chain") }[kind];
  return html`<li data-why=${answer.code}>
    <div><p>${answer.text}</p>
    ${answer.remedy && html`<p class="soft small">${answer.remedy}</p>`}</div>
    ${verb && html`<button type="button" onClick=${() => begin(kind, verb, [remedy.id], named)}>
      ${on ? `${verb.label}: ${on} ${named}` : verb.label}</button>`}
  </li>`;
}

export const inChannel = (id) => id && html`<${ChannelLink} id=${id} />`;
export const byAgent = (id) => id && html`<${AgentLink} id=${id} />`;
