// Named combinations of the filters of a table, kept in this browser for each person.
//
// A view is no more than an address: who is to see the same elsewhere is sent the link.

import { ask } from "./dialog.js";
import { _, say } from "./i18n.js";
import { html, useEffect, useState } from "./preact.js";
import { announce } from "./parts.js";
import { state } from "./store.js";

const MOST = 30;

const keyOf = (table) => `coordinator.views.${state.me.name ?? ""}.${table}`;

function read(table) {
  try {
    const found = JSON.parse(localStorage.getItem(keyOf(table)) ?? "[]");
    return Array.isArray(found) ? found.filter((view) => typeof view?.name === "string" && view.values) : [];
  } catch {
    return []; // there may be no storage, or what is in it is not ours
  }
}

function write(table, views) {
  try {
    localStorage.setItem(keyOf(table), JSON.stringify(views.slice(0, MOST)));
    return true;
  } catch {
    announce(_("This browser keeps nothing; send yourself the address instead."));
    return false;
  }
}

const same = (one, other) => Object.keys(other).every((name) => (one[name] ?? "") === (other[name] ?? ""));

/** The saved views of a table, to be chosen, saved and removed. */
export function Views({ of, values, usual, set }) {
  const [views, setViews] = useState(() => read(of));
  useEffect(() => {
    const elsewhere = ({ key }) => key === keyOf(of) && setViews(read(of));
    addEventListener("storage", elsewhere);
    return () => removeEventListener("storage", elsewhere);
  }, [of]);
  const keep = (next) => write(of, next) && setViews(next);
  const now = views.find((view) => same({ ...usual, ...view.values }, values));
  const isUsual = same(values, usual);
  const choose = ({ target }) => {
    const view = views.find(({ name }) => name === target.value);
    set({ ...usual, ...view?.values });
  };
  const save = () => ask(_("Save this view"), {
    fields: [{ name: "name", label: _("Name"), required: true }], button: _("Save"),
    submit: async ({ name }) => {
      const changed = Object.fromEntries(Object.entries(values).filter(([key, value]) => value !== usual[key]));
      keep([...views.filter((view) => view.name !== name.trim()), { name: name.trim(), values: changed }]);
      return say(_("Saved in this browser as “%(name)s”."), { name: name.trim() });
    },
  });
  return html`<span class="row views">
    ${views.length > 0 && html`<label class="sr" for="view-${of}">${_("Saved views")}</label>
      <select id="view-${of}" value=${now?.name ?? ""} onChange=${choose}><option value="" selected=${!now}>${_("Saved views")}</option>
        ${views.map(({ name }) => html`<option key=${name} value=${name} selected=${name === now?.name}>${name}</option>`)}</select>`}
    ${now ? html`<button type="button" class="quiet" onClick=${() => keep(views.filter((view) => view !== now))}>${_("Remove this view")}</button>`
      : !isUsual && html`<button type="button" class="quiet" onClick=${save}>${_("Save this view")}</button>`}
  </span>`;
}
