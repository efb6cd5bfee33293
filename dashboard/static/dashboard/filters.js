// The filters above a table: each is a value of the address, and those in use are shown with a way out.

import { get, query } from "./api.js";
import { atClock, moment, now, number, onClock } from "./format.js";
import { _, say } from "./i18n.js";
import { html, useState } from "./preact.js";
import { Act, announce } from "./parts.js";
import { state } from "./store.js";
import { MOST } from "./table.js";
import { begin, verbsFor } from "./verbs.js";

const HOUR = 3_600_000;
export const AGES = { __proto__: null, hour: HOUR, day: 24 * HOUR, week: 168 * HOUR, month: 720 * HOUR };

const ages = {
  __proto__: null,
  "": () => _("any"), hour: () => _("last hour"), day: () => _("last 24 hours"), week: () => _("last 7 days"),
  month: () => _("last 30 days"), older: () => _("older than 30 days"), between: () => _("between two times…"),
};

/** A period as the server takes it, from the values of an address; `name` begins its parameters. */
export function period({ age, from, to }, name = "created") {
  if (age === "between") return { [`${name}_after`]: asTime(from), [`${name}_before`]: asTime(to) };
  if (age === "older") return { [`${name}_before`]: new Date(now() - AGES.month).toISOString() };
  return AGES[age] ? { [`${name}_after`]: new Date(now() - AGES[age]).toISOString() } : {};
}

/** A moment of an address; without an offset, as somebody may type it, that of a clock in the page's zone. */
const asTime = (text) => {
  if (!/(?:Z|[+-]\d\d:\d\d)$/.test(text)) return atClock(text);
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString();
};

export const channels = () =>
  [...state.channels.values()].map((row) => [row.id, row.name]).sort((a, b) => a[1].localeCompare(b[1]));

let serial = 0;

/** One filter; `kind`: choice, text or suggest, age. */
function Filter({ field, values, set }) {
  const [id] = useState(() => `filter-${(serial += 1)}`);
  const { name, label, options = [], kind = "text", hint } = field;
  const put = (event) => set({ [name]: event.target.value });
  const type = (event) => set({ [name]: event.target.value }, { replace: true });
  if (kind === "age") {
    return html`<div><label for=${id}>${label}</label><select id=${id} value=${values.age} onChange=${(event) => set({ age: event.target.value })}>
      ${Object.entries(ages).map(([value, said]) => html`<option key=${value} value=${value} selected=${value === values.age}>${said()}</option>`)}</select></div>
      ${values.age === "between" && ["from", "to"].map((end) => html`<div key=${end}><label for="${id}-${end}">${end === "from" ? _("From") : _("To")}</label>
        <input id="${id}-${end}" type="datetime-local" value=${onClock(asTime(values[end]))} onChange=${(event) => set({ [end]: atClock(event.target.value) })} /></div>`)}`;
  }
  if (kind === "choice") {
    return html`<div><label for=${id}>${label}</label><select id=${id} value=${values[name]} onChange=${put}>
      <option value="" selected=${!values[name]}>${_("all")}</option>
      ${options.map(([value, said]) => html`<option key=${value} value=${value} selected=${value === values[name]}>${said}</option>`)}</select></div>`;
  }
  return html`<div><label for=${id}>${label}</label><input id=${id} type=${kind === "find" ? "search" : "text"} value=${values[name]} onInput=${type}
      list=${options.length ? `${id}-list` : undefined} autocomplete="off" placeholder=${hint} />
    ${options.length > 0 && html`<datalist id="${id}-list">${options.map(([value, said]) => html`<option key=${value} value=${value}>${said}</option>`)}</datalist>`}</div>`;
}

const said = (field, value, values) => {
  if (field.kind === "age" && value === "between") {
    return [values.from, values.to].map(asTime).map((at) => (at ? moment(at) : "…")).join(" – ");
  }
  return field.kind === "age" ? ages[value]?.() ?? value : field.options?.find(([one]) => one === value)?.[1] ?? value;
};

/** All filters of a list, and below them those that are in use. */
export function Filters({ label, fields, values, set, children }) {
  const names = (field) => (field.kind === "age" ? { age: "", from: "", to: "" } : { [field.name]: "" });
  const used = fields.filter((field) => values[field.name]);
  const none = Object.assign({}, ...fields.map(names));
  return html`<details class="t-filters" open=${!matchMedia("(max-width: 640px)").matches}><summary>${used.length ? say(_("Filters (%(n)s)"), { n: number(used.length) }) : _("Filters and order")}</summary><div class="filters" role="search" aria-label=${label}>
      ${fields.map((field) => html`<${Filter} key=${field.name} ...${{ field, values, set }} />`)}${children}
    </div></details>
    ${used.length > 0 && html`<p class="t-used">${used.map((field) => html`<button type="button" class="chip" key=${field.name} onClick=${() => set(names(field))}
        title=${_("Show without this filter")}>${field.label}: <b>${said(field, values[field.name], values)}</b> <i aria-hidden="true">✕</i></button>`)}
      ${used.length > 1 && html`<button type="button" class="quiet" onClick=${() => set(none)}>${_("Show all")}</button>`}</p>`}`;
}

/** The verbs for all rows that match, also those that are not loaded: up to 10,000 of them. `of`: the
values of the address; `asked(of)`: what the server is asked, which may have the present time in it. */
export function AllThatMatch({ kind, path, of, asked, row, label = _("All that match…"), pick }) {
  const [found, setFound] = useState(null);
  const key = JSON.stringify(of);
  const look = async () => {
    try {
      setFound({ ...(await get(query(path, asked(of)))), key });
    } catch (refusal) {
      announce(refusal.message);
    }
  };
  const current = found?.key === key ? found : null;
  if (!current) return html`<${Act} does=${look} kind="quiet">${label}<//>`;
  const count = number(current.ids.length);
  const title = current.more ? say(_("the first %(n)s that match"), { n: count }) : say(_("all %(n)s that match"), { n: count });
  const verbs = (row ? verbsFor(kind, row) : (state.verbs[kind] ?? []).filter((verb) => verb.allowed && !verb.alone)).filter(pick ?? (() => true));
  return html`<span class="row"><b>${title}</b>
    ${current.more && html`<span class="soft small">${say(_("There may be more; a verb is used on %(n)s at most."), { n: number(MOST) })}</span>`}
    ${current.ids.length > 0 && verbs.map((verb) => html`<button type="button" key=${verb.name} class=${verb.danger ? "danger" : ""}
      onClick=${() => begin(kind, verb, current.ids, title)}>${verb.label}</button>`)}
    <button type="button" class="quiet" onClick=${() => setFound(null)}>${_("Back")}</button></span>`;
}
