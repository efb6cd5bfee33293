// JSON that folds: by click and by keyboard; large values show a part and say how much there is.

import { number } from "./format.js";
import { _, ngettext, say } from "./i18n.js";
import { Icon } from "./icons.js";
import { copy } from "./parts.js";
import { html, useState } from "./preact.js";

const LONGEST = 2_000; // characters of a text before it is cut
const MOST = 100; // entries of a list before it is cut
const OPEN_DEPTH = 2;
const OPEN_SIZE = 30; // larger ones are folded at first

const isTree = (value) => value !== null && typeof value === "object" && !JSON.isRawJSON?.(value) && Object.keys(value).length > 0;

export function Json({ value, label }) {
  const whole = () => copy(typeof value === "string" ? value : JSON.stringify(value, null, 2));
  return html`<div class="json">
    <button type="button" class="quiet copy" aria-label=${say(_("Copy: %(name)s"), { name: label })} onClick=${whole}><${Icon} name="copy" size="15" /></button>
    ${isTree(value) ? html`<${Entries} value=${value} depth=${0} />` : html`<${Leaf} value=${value} />`}
  </div>`;
}

/** The entries of an object or a list, the first of them at first. */
function Entries({ value, depth }) {
  const [shown, setShown] = useState(MOST);
  const all = Object.entries(value);
  return html`<ul>${all.slice(0, shown).map(([name, entry]) => html`<${Entry} key=${name} name=${name} value=${entry} depth=${depth} />`)}
    ${all.length > shown && html`<li><button type="button" class="link" onClick=${() => setShown(shown + MOST * 5)}>
      ${say(_("Show more (%(n)s)"), { n: number(all.length - shown) })}</button></li>`}</ul>`;
}

const sizeOf = (value) => {
  const n = Object.keys(value).length;
  const text = Array.isArray(value)
    ? ngettext("%(n)s entry", "%(n)s entries", n) : ngettext("%(n)s field", "%(n)s fields", n);
  return say(text, { n: number(n) });
};

function Entry({ name, value, depth }) {
  const [open, setOpen] = useState(() => isTree(value) && depth < OPEN_DEPTH && Object.keys(value).length <= OPEN_SIZE);
  if (!isTree(value)) return html`<li><code class="key">${name}</code> <${Leaf} value=${value} /></li>`;
  return html`<li><details open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary><code class="key">${name}</code> <span class="soft small">${sizeOf(value)}</span></summary>
    ${open && html`<${Entries} value=${value} depth=${depth + 1} />`}
  </details></li>`;
}

/** A value without entries: a text with line breaks keeps them. */
function Leaf({ value }) {
  const [whole, setWhole] = useState(false);
  if (typeof value !== "string" || !value) return html`<code class="value">${JSON.stringify(value)}</code>`;
  const cut = value.length > LONGEST && !whole;
  const text = cut ? value.slice(0, LONGEST) : value;
  return html`${/\n/.test(value) || value.length > 200
    ? html`<pre tabindex="0">${text}${cut && "…"}</pre>` : html`<code class="value text">${text}</code>`}
    ${cut && html`<button type="button" class="link" onClick=${() => setWhole(true)}>
      ${say(_("Show all %(n)s characters"), { n: number(value.length) })}</button>`}`;
}
