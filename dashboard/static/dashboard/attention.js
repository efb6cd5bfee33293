// What needs a person: found by the server, with the remedy beside it; counted in the tab's title and icon.

import { post } from "./api.js";
import { moment, number, short, since as ago } from "./format.js";
import { connectAgent } from "./first_run.js";
import { Dismiss } from "./forms.js";
import { _, apart, language, ngettext, say } from "./i18n.js";
import { html, useEffect } from "./preact.js";
import { Act, Ago, announce, useStore } from "./parts.js";
import { changed, readNotifications, state } from "./store.js";
import { begin } from "./verbs.js";

/** How many things need a person; a note needs nobody. */
export const needs = () =>
  state.attention.filter(({ severity }) => severity !== "note").length + state.notifications.length;

const severities = {
  alarm: () => _("Urgent"),
  warning: () => _("Warning"),
  note: () => _("Note"),
};

export const isCalm = () => !state.attention.length && !state.notifications.length;

export function Attention() {
  if (isCalm()) return html`<p class="calm" role="status">${_("Nothing needs you.")}</p>`;
  return html`<section class="panel needs" aria-labelledby="needs">
    <header><h2 id="needs">${_("What needs you")}</h2></header>
    <ul class="findings">
      ${state.attention.map((finding) => html`<${Finding} key=${finding.key} finding=${finding} />`)}
      ${state.notifications.length > 0 && html`<${Waiting} />`}
    </ul>
  </section>`;
}

const sentence = ({ text }) => text[language()] ?? text.en;

const For = ({ at }) => html`<time class="soft small" datetime=${at} title=${moment(at)}>${say(_("for %(time)s"), { time: ago(at) })}</time>`;

/** Several of the same title are told apart by their ids. */
const toldApart = (subjects) =>
  subjects.map((one) => (subjects.filter(({ title }) => title === one.title).length > 1
    ? { ...one, title: `${one.title} · ${short(one.id)}` } : one));

function Finding({ finding }) {
  const { severity, address, since, count } = finding;
  const subjects = toldApart(finding.subjects);
  const [only] = subjects;
  const all = count === subjects.length;
  return html`<li class="finding" data-severity=${severity} data-finding=${finding.key}>
    <div class="finding-head">
      <span class="severity">${severities[severity]()}</span>
      <a class="grow" href=${address}>${sentence(finding)}</a>
      ${since && html`<${For} at=${since} />`}
      ${all && html`<${Remedies} finding=${finding} subjects=${subjects} />`}
      ${state.me.operate && html`<${Act} kind="quiet" does=${() => dismiss(finding)}
        label=${say(_("Dismiss: %(sentence)s"), { sentence: sentence(finding) })}>${_("Dismiss")}<//>`}
    </div>
    ${subjects.length === 1 && all
      ? html`<p class="subjects small"><${Named} subject=${only} /></p>`
      : html`<details class="subjects small"><summary>${names(finding)}</summary>
          <ul>${subjects.map((subject) => html`<li key=${subject.id}>
            <${Named} subject=${subject} />${subject.since && html`<${For} at=${subject.since} />`}
            <${Remedies} finding=${finding} subjects=${[subject]} /></li>`)}
          ${!all && html`<li><a href=${address}>${rest(finding)}</a></li>`}</ul></details>`}
  </li>`;
}

const rest = ({ count, subjects, more }) => {
  const left = count - subjects.length;
  return say(ngettext("and %(n)s more", "and %(n)s more", left), { n: number(left) + (more ? "+" : "") });
};

const names = (finding) => [
  finding.subjects.map(({ title }) => apart(title)).join(", "),
  finding.count > finding.subjects.length ? rest(finding) : "",
].filter(Boolean).join(" ");

const MOST_READY = 1_000; // the server counts no further

const Named = ({ subject }) => html`<a class="subject" href=${subject.address}>${subject.title}</a>
  ${subject.count > 0 && html` <span class="soft">${say(_("%(n)s ready"), {
    n: number(subject.count) + (subject.count >= MOST_READY ? "+" : "") })}</span>`}`;

/** What puts these subjects right, as far as this person may. */
function Remedies({ finding, subjects }) {
  const [first] = subjects;
  const title = subjects.length === 1 ? first.title : say(_("%(n)s chosen"), { n: number(subjects.length) });
  const ids = subjects.map(({ id }) => id);
  return html`<span class="remedies">${remedies(finding).map((verb) => html`<button type="button" key=${verb.name}
      aria-label=${`${verb.label}: ${subjects.map((subject) => subject.title).join(", ")}`}
      onClick=${() => begin(finding.of, verb, ids, title, subjects.length === 1 ? { id: first.id } : undefined)}>
      ${verb.label}${subjects.length > 1 ? ` (${number(subjects.length)})` : ""}</button>`)}
    ${finding.connects && subjects.length === 1 && html`<button type="button"
      aria-label=${say(_("Connect an agent to %(name)s"), { name: first.title })}
      onClick=${() => connectAgent(first.title)}>${_("Connect an agent")}</button>`}</span>`;
}

/** The verbs that put it right and that this person may use. */
const remedies = ({ of, verbs = [] }) =>
  (state.verbs[of] ?? []).filter((verb) => verb.allowed && verbs.includes(verb.name));

async function dismiss(finding) {
  try {
    await post("/console/attention/dismiss", { key: finding.key });
    state.attention = state.attention.filter(({ key }) => key !== finding.key);
    changed();
  } catch (refusal) {
    announce(refusal.message);
  }
}

/** Agents that wait for a person. */
const Waiting = () => html`<li class="finding" data-severity="warning" id="notifications">
  <div class="finding-head"><span class="severity">${severities.warning()}</span>
    <strong class="grow">${say(ngettext("%(n)s agent waits for you.", "%(n)s agents wait for you.", state.notifications.length),
      { n: number(state.notifications.length) })}</strong></div>
  <ul class="subjects small">${state.notifications.map((note) => html`<li key=${note.key}>
    <a class="subject" href="#/agents/${encodeURIComponent(note.agent_id)}">${note.agent_name || note.agent_id}</a>
    <span class="grow">${note.message}</span>
    ${note.channel && html`<span class="tag">${note.channel}</span>`}
    <span class="soft"><${Ago} at=${note.created_at} /></span>
    ${state.me.operate && html`<${Dismiss} note=${note} then=${readNotifications} />`}
  </li>`)}</ul>
</li>`;

const COUNTED = /^\(\d+\) /;
const icons = document.querySelector('link[rel="icon"]');
const plain = icons.getAttribute("href");
const badge = (count) => new URL(`./badges/${count > 9 ? "more" : count}.svg`, import.meta.url).pathname;

/** Count in the title of the tab, whoever has set it, and in its icon. */
function mark() {
  const count = needs();
  const title = (count ? `(${count}) ` : "") + document.title.replace(COUNTED, "");
  if (document.title !== title) document.title = title;
  const icon = count ? badge(count) : plain;
  if (icons.getAttribute("href") !== icon) icons.setAttribute("href", icon);
}

/** In the head of every page: how much needs a person. */
export function Bell() {
  useStore();
  useEffect(mark);
  useEffect(() => {
    const observer = new MutationObserver(mark);
    observer.observe(document.querySelector("title"), { childList: true });
    return () => observer.disconnect();
  }, []);
  const count = needs();
  if (!count) return null;
  const label = say(ngettext("%(n)s thing needs you", "%(n)s things need you", count), { n: number(count) });
  return html`<a class="count bad" href="#/" aria-label=${label} title=${label}>${number(count)} !</a>`;
}
