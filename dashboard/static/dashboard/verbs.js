// The verbs of operators: each shows what it will do, asks for a reason and reports refusals.

import { post, Refusal } from "./api.js";
import { Form, show } from "./dialog.js";
import { number, short } from "./format.js";
import { _, ngettext, say } from "./i18n.js";
import { html, useCallback, useEffect, useRef, useState } from "./preact.js";
import { announce } from "./parts.js";
import { state } from "./store.js";
import { subscribed } from "./subscribe.js";

const MOST_REFUSALS = 20;

/** Whether a verb is offered on a row; the server still decides. */
const isOffered = ({ offered_when }, row) =>
  Object.entries(offered_when).every(([name, wanted]) =>
    Array.isArray(wanted) ? wanted.includes(row[name]) : wanted === Boolean(row[name]));

export const verbsFor = (kind, row) =>
  (state.verbs[kind] ?? []).filter((verb) => verb.allowed && isOffered(verb, row));

/** Buttons for all that this person may do to this row. */
export const Verbs = ({ kind, row, title }) =>
  verbsFor(kind, row).map((verb) => html`<button type="button" key=${verb.name}
      aria-label=${`${verb.label}: ${title}`} onClick=${() => begin(kind, verb, [row.id], title, row)}>
    ${verb.label}</button>`);

const kinds = { text: "text", number: "number", boolean: "check", choice: "select", agent: "suggest" };

function asField({ name, label, type, required, choices }, row) {
  const options = type === "agent" ? agentOptions() : choices ?? [];
  const value = { choice: options[0]?.[0], agent: row?.reserved_for }[type];
  return { name, label, required, options, value, kind: kinds[type] ?? "text" };
}

export const agentOptions = () =>
  [...state.agents.values()].map((row) => [
    row.id,
    [row.name === row.id ? "" : row.name, presence(row)].filter(Boolean).join(", "),
  ]);

export const presence = (row) =>
  row.draining ? _("draining")
    : { online: _("online"), offline: _("offline"), lost: _("lost") }[row.presence] ?? row.presence;

/** Show what the verb will do to these rows, and ask why. */
export function begin(kind, verb, ids, title, row) {
  show(`${verb.label}: ${title}`, (close) => html`<${Steps} ...${{ kind, verb, ids, row, close }} />`);
}

function Steps({ kind, verb, ids, row, close }) {
  const [will, setWill] = useState([]);
  const [refused, setRefused] = useState(null);
  const path = `/console/${kind}/${verb.name}`;
  const asked = useRef(0);
  const timer = useRef();
  useEffect(() => () => clearTimeout(timer.current), []);
  const preview = useCallback((values) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(async () => {
      asked.current += 1;
      const mine = asked.current;
      const answer = await post(path, { ids, values: chosen(values), preview: true }).catch(() => null);
      if (mine === asked.current) setWill(answer?.will ?? []);
    }, 200);
  }, []);
  const submit = async (values) => {
    const carryOut = () => carry(path, { ids, reason: values.reason, values: chosen(values) });
    const result = row?.channel_id && values.agent
      ? await subscribed(values.agent, row.channel_id, carryOut) : await carryOut();
    if (!result.refused.length) return done(result.done);
    setRefused(result);
    return null;
  };
  if (refused) return html`<${Refused} ...${refused} close=${close} />`;
  const fields = [
    ...verb.fields.map((field) => asField(field, row)),
    { name: "reason", label: _("Reason, kept in the journal"), required: true, kind: "text" },
  ];
  const note = html`<div aria-live="polite">
    ${will.length > 0 && html`<p class="soft small">${_("What will happen")}</p>
      <ul class="will">${will.map((sentence) => html`<li key=${sentence}>${sentence}</li>`)}</ul>`}
  </div>`;
  return html`<${Form} ...${{ fields, submit, close, note }} button=${verb.label} watch=${preview} />`;
}

/** The response; if it is about one row and that was refused, the refusal is thrown. */
async function carry(path, body) {
  const result = await post(path, body);
  const [only] = result.refused;
  if (body.ids.length === 1 && only) throw new Refusal(409, only.code, only.message);
  return result;
}

const chosen = ({ reason, ...values }) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));

const done = (count) =>
  say(ngettext("Done: %(n)s changed.", "Done: %(n)s changed.", count), { n: number(count) });

function Refused({ done: count, refused, close }) {
  useEffect(() => {
    announce(say(_("%(done)s changed, %(refused)s refused."), { done: number(count), refused: number(refused.length) }));
  }, []);
  return html`<div class="body">
    <p class="alarm" role="alert">${say(_("%(done)s changed, %(refused)s refused."), { done: number(count), refused: number(refused.length) })}</p>
    <ul class="will">${refused.slice(0, MOST_REFUSALS).map((row) => html`
      <li key=${row.id}><code title=${row.id}>${short(row.id)}</code> ${row.message}</li>`)}</ul>
    ${refused.length > MOST_REFUSALS && html`<p class="soft">
      ${say(_("and %(n)s more"), { n: number(refused.length - MOST_REFUSALS) })}</p>`}
    <footer><button type="button" class="primary" onClick=${close}>${_("Close")}</button></footer>
  </div>`;
}

