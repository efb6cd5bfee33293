// A menu that opens at a click and closes at the next one, at Escape, and when the focus leaves it.
// `label` names a face that says nothing; one with words names itself.

import { html, useEffect, useRef } from "./preact.js";

export function Menu({ label, title = label, face = "⋯", kind = "", children }) {
  const element = useRef();
  useEffect(() => {
    const close = ({ target }) => {
      if (element.current && !element.current.contains(target)) element.current.open = false;
    };
    document.addEventListener("click", close);
    return () => document.removeEventListener("click", close);
  }, []);
  const key = (event) => {
    if (event.key !== "Escape" || !element.current.open) return;
    event.stopPropagation();
    element.current.open = false;
    element.current.querySelector("summary").focus();
  };
  const left = ({ relatedTarget }) => {
    if (relatedTarget && !element.current.contains(relatedTarget)) element.current.open = false;
  };
  const chosen = ({ target }) => {
    if (target.closest("a, button")) element.current.open = false;
  };
  return html`<details class="choices ${kind}" ref=${element} onKeyDown=${key} onFocusOut=${left}>
    <summary aria-label=${label} title=${title}>${face}</summary>
    <div class="choices-body" onClick=${chosen}>${children}</div>
  </details>`;
}
