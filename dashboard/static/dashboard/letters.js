// Dead letters: tasks that failed for good and wait for a person.

import { get, query } from "./api.js";
import { because, number } from "./format.js";
import { _, say } from "./i18n.js";
import { html, useEffect, useState } from "./preact.js";
import { Act, Ago, announce, Empty } from "./parts.js";
import { state } from "./store.js";
import { openTask } from "./task.js";
import { begin, verbsFor } from "./verbs.js";

const DEAD_LETTER = { status: "failed" };

export function Letters() {
  const [read, setRead] = useState(null);
  const [chosen, setChosen] = useState(new Set());
  const [channel, setChannel] = useState("");
  const load = async (cursor) => {
    try {
      const data = await get(query("/v1/dead-letters", { channel_id: channel, cursor }));
      setRead((old) => ({
        rows: cursor ? [...old.rows, ...data.dead_letters] : data.dead_letters, next: data.next_cursor ?? null,
      }));
    } catch (refusal) {
      announce(refusal.message);
    }
  };
  useEffect(() => {
    const timer = setTimeout(load, 300);
    return () => clearTimeout(timer);
  }, [channel, state.counters.dead_letters]);
  const rows = read?.rows ?? [];
  const picked = rows.filter((row) => chosen.has(row.id)).map((row) => row.id);
  const all = rows.length > 0 && picked.length === rows.length;
  const flip = (id) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const verbs = verbsFor("tasks", DEAD_LETTER);
  const title = say(_("%(n)s chosen"), { n: number(picked.length) });
  return html`<section class="panel" aria-labelledby="letters">
    <header><h1 id="letters">${_("Dead letters")}</h1>
      <label for="letters-channel">${_("Channel")}</label>
      <select id="letters-channel" style=${{ width: "auto", maxWidth: "100%" }} value=${channel} onChange=${(event) => setChannel(event.target.value)}>
        <option value="">${_("all")}</option>
        ${[...state.channels.values()].map((row) => html`<option key=${row.id} value=${row.id}>${row.name}</option>`)}</select>
      ${verbs.map((verb) => html`<button type="button" key=${verb.name} disabled=${!picked.length}
        onClick=${() => begin("tasks", verb, picked, title)}>${verb.label}${picked.length ? ` (${number(picked.length)})` : ""}</button>`)}
    </header>
    ${read && !rows.length && html`<${Empty}>${_("No dead letters.")}<//>`}
    ${verbs.length > 0 && rows.length > 0 && html`<p class="body"><label><input type="checkbox" checked=${all}
      onChange=${() => setChosen(all ? new Set() : new Set(rows.map((row) => row.id)))} /> ${_("All of this list")}</label></p>`}
    <ul class="list">${rows.map((row) => html`<li key=${row.id} data-letter=${row.id}>
      ${verbs.length > 0 && html`<input type="checkbox" aria-label=${say(_("Choose “%(title)s”"), row)} checked=${chosen.has(row.id)} onChange=${() => flip(row.id)} />`}
      <button type="button" class="link name" onClick=${() => openTask(row.id, row.title)}>${row.title}</button>
      <span class="alarm small">${because(row.dead_letter)}</span>
      <span class="grow small">${row.fail_reason}</span>
      <span class="soft small"><${Ago} at=${row.finished_at ?? row.updated_at} /></span>
    </li>`)}</ul>
    ${read?.next && html`<p class="empty"><${Act} does=${() => load(read.next)}>${_("Older")}<//></p>`}
  </section>`;
}
