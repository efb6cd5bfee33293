// The verbs of operators: each shows what it will do, asks for a reason and reports refusals.

import { post, Refusal } from "./api.js";
import { Form, show } from "./dialog.js";
import { number, short } from "./format.js";
import { _, apart, ngettext, say } from "./i18n.js";
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

/** The verb of this name, if this person may use it. */
export const verbNamed = (kind, name) =>
  (state.verbs[kind] ?? []).find((verb) => verb.name === name && verb.allowed);

const kinds = {
  text: "text", area: "area", number: "number", boolean: "check", choice: "select", channel: "select", agent: "suggest",
};

const channelOptions = () => [...state.channels.values()].map((row) => [row.id, row.name]);

function asField({ name, label, type, required, choices, initial, help: hint }, row) {
  const options = { agent: agentOptions, channel: channelOptions }[type]?.() ?? choices ?? [];
  const usual = { choice: options[0]?.[0], channel: options[0]?.[0], agent: row?.reserved_for, boolean: false }[type];
  return { name, label, required, options, hint, value: initial ?? usual, kind: kinds[type] ?? "text" };
}

export const agentOptions = () =>
  [...state.agents.values()].map((row) => [
    row.id,
    [row.name === row.id ? "" : row.name, presence(row)].filter(Boolean).join(", "),
  ]);

export const presence = (row) =>
  row.draining ? _("draining")
    : { online: _("online"), offline: _("offline"), lost: _("lost") }[row.presence] ?? row.presence;

/** Show what the verb will do to these rows, and ask why; `then(result)` follows when it is done. */
export function begin(kind, verb, ids, title, row, then) {
  const named = title ? `${verb.label}: ${apart(title)}` : verb.label;
  show(named, (close) => html`<${Steps} ...${{ kind, verb, ids, row, then, close }} />`);
}

function Steps({ kind, verb, ids, row, then, close }) {
  const [previewed, setPreviewed] = useState({ will: [] });
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
      if (mine === asked.current) setPreviewed(answer ?? { will: [] });
    }, 200);
  }, []);
  const submit = async (values) => {
    const { reason } = values;
    const carryOut = () => carry(path, { ids, reason, values: chosen(values), seen: previewed.seen ?? "" });
    const beginning = row?.channel_id && values.agent
      ? subscribed(values.agent, row.channel_id, reason, carryOut) : carryOut();
    const result = await beginning.catch((refusal) => {
      preview(values); // what would happen now
      throw refusal;
    });
    await then?.(result, values);
    if (!result.refused.length) return result.notes?.join(" ") ?? done(result.done);
    setRefused(result);
    return null;
  };
  if (refused) return html`<${Refused} ...${refused} close=${close} />`;
  const why = verb.asks_reason ? _("Reason, kept in the journal") : _("Reason, if there is one to keep");
  const fields = [
    ...verb.fields.map((field) => asField(field, row)),
    { name: "reason", label: why, required: verb.asks_reason, kind: "text" },
  ];
  const nothing = previewed.refused?.length > 0 && !previewed.done;
  const note = html`${verb.help && html`<p class="hint">${verb.help}</p>`}<div aria-live="polite">
    ${previewed.will.length > 0 && html`<p class="soft small">${_("What will happen")}</p>
      <ul class=${nothing ? "will alarm" : "will"}>${previewed.will.map((sentence) => html`<li key=${sentence}>${sentence}</li>`)}</ul>`}
  </div>`;
  const leave = verb.name.includes("cancel") ? _("Close") : _("Cancel");
  return html`<${Form} ...${{ fields, submit, close, note, leave }} button=${verb.label} watch=${preview} />`;
}

/** The response; if it is about one row and that was refused, the refusal is thrown. */
async function carry(path, body) {
  const result = await post(path, body);
  const [only] = result.refused;
  if (body.ids.length <= 1 && only) throw new Refusal(409, only.code, only.message);
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

