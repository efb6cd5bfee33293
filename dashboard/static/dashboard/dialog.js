// Dialogs: a stack of them, each with a form or with something to look at.

import { _ } from "./i18n.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./preact.js";
import { announce } from "./parts.js";
import { changed } from "./store.js";

const open = [];
let serial = 0;

/** Show a dialog; `render(close)` fills it. */
export function show(title, render, { wide = false } = {}) {
  serial += 1;
  open.push({ key: serial, title, render, wide });
  changed();
}

function close(key) {
  const place = open.findIndex((dialog) => dialog.key === key);
  if (place >= 0) open.splice(place, 1);
  changed();
}

export const Dialogs = () =>
  open.map((dialog) => html`<${Dialog} key=${dialog.key} ...${dialog} close=${() => close(dialog.key)} />`);

const FIELDS = "form :is(input:not([type=hidden]), select, textarea)";
const BY_TOUCH = "(pointer: coarse)"; // there a field that has the focus covers half of the page with a keyboard

/** A dialog begins in its first field; when it closes, one goes on where it was opened, or in the content. */
function Dialog({ title, render, wide, close }) {
  const element = useRef();
  const [heading] = useState(() => `dialog-${serial}`);
  // At once, not after the next frame: what is typed meanwhile belongs in it.
  useLayoutEffect(() => {
    const from = document.activeElement;
    element.current.showModal();
    if (!matchMedia(BY_TOUCH).matches) element.current.querySelector(FIELDS)?.focus();
    return () => {
      if (from?.isConnected) from.focus();
      requestAnimationFrame(() => {
        if (document.activeElement === document.body) document.getElementById("main").focus({ preventScroll: true });
      });
    };
  }, []);
  const outside = (event) => event.target === element.current && close();
  return html`<dialog ref=${element} class=${wide ? "wide" : ""} aria-labelledby=${heading}
      onClose=${close} onMouseDown=${outside}>
    <header>
      <h2 id=${heading}>${title}</h2>
      <button type="button" class="quiet" aria-label=${_("Close")} onClick=${close}>✕</button>
    </header>
    ${render(close)}
    <div class="announcements" role="status" aria-live="polite"></div>
  </dialog>`;
}

let fields = 0;

export function Field({ field, value, set }) {
  const [id] = useState(() => `field-${(fields += 1)}`);
  const { kind = "text", label, required, options = [], hint } = field;
  const change = (event) =>
    set(kind === "check" ? event.target.checked : event.target.value);
  const shared = {
    id, name: field.name, required, onInput: change,
    "aria-describedby": hint ? `${id}-hint` : undefined,
  };
  if (kind === "check") {
    return html`<div class="check"><input type="checkbox" ...${shared} checked=${value} />
      <label for=${id}>${label}</label></div>`;
  }
  const control = {
    area: () => html`<textarea ...${shared} value=${value}></textarea>`,
    select: () => html`<select ...${shared} value=${value}>
      ${options.map(([key, text]) => html`<option key=${key} value=${key} selected=${key === value}>${text}</option>`)}
    </select>`,
    suggest: () => html`<input ...${shared} value=${value} list="${id}-list" autocomplete="off" />
      <datalist id="${id}-list">${options.map(([key, text]) => html`<option key=${key} value=${key}>${text}</option>`)}</datalist>`,
    number: () => html`<input type="number" step="1" ...${shared} value=${value} />`,
    text: () => html`<input type="text" autocomplete="off" ...${shared} value=${value} />`,
  }[kind];
  return html`<div class="field"><label for=${id}>${label}${required ? " *" : ""}</label>${control()}
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}</div>`;
}

/** A form: `leave` closes it, `submit(values)` does it and gives the sentence to announce, or null to stay open. */
export function Form({ fields: asked, button, leave, submit, close, note, watch }) {
  const [values, setValues] = useState(() =>
    Object.fromEntries(asked.map((field) => [field.name, field.value ?? (field.kind === "check" ? false : "")])));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  useEffect(() => watch?.(values), [values]);
  const send = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const message = await submit(values);
      if (message) {
        announce(message);
        close();
      }
    } catch (refusal) {
      setProblem(refusal.message);
    } finally {
      setBusy(false);
    }
  };
  return html`<form class="body" onSubmit=${send}>
    ${asked.map((field) => html`<${Field} key=${field.name} field=${field} value=${values[field.name]}
      set=${(value) => setValues((old) => ({ ...old, [field.name]: value }))} />`)}
    ${note}
    ${problem && html`<p class="alarm" role="alert">${problem}</p>`}
    <footer>
      <button type="button" onClick=${close}>${leave ?? _("Cancel")}</button>
      <button class="primary" disabled=${busy}>${button}</button>
    </footer>
  </form>`;
}

export const ask = (title, form) =>
  show(title, (close) => html`<${Form} ...${form} close=${close} />`);
