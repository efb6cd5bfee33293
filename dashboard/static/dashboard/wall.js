// Agents as tiles, for a screen on a wall: all of them without scrolling, readable from afar.

import { number } from "./format.js";
import { _ } from "./i18n.js";
import { html, useLayoutEffect, useRef, useState } from "./preact.js";
import { Empty } from "./parts.js";
import { href } from "./route.js";
import { presence } from "./verbs.js";

const BROAD = 2.4; // of a tile, its width by its height
const NARROWEST = 8.5, LOWEST = 3.6; // rem

/** As many columns as fill the screen with tiles of that form. */
function useForm(element, count) {
  const [form, setForm] = useState({ columns: 8, height: 0 });
  useLayoutEffect(() => {
    const look = () => {
      const { top, width } = element.current.getBoundingClientRect();
      const high = Math.max(200, innerHeight - (top + scrollY) - 28);
      const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
      const most = Math.max(1, Math.floor(width / (NARROWEST * rem)));
      const columns = Math.min(most, Math.max(1, Math.round(Math.sqrt((count * width) / (high * BROAD)))));
      const rows = Math.ceil(count / columns);
      setForm({ columns, height: Math.max(high, rows * LOWEST * rem) });
    };
    look();
    addEventListener("resize", look);
    return () => removeEventListener("resize", look);
  }, [count]);
  return form;
}

const toneOf = (row) => (row.draining ? "draining" : row.presence !== "online" ? row.presence : row.held ? "busy" : "idle");

export function Wall({ rows }) {
  const element = useRef();
  const { columns, height } = useForm(element, rows.length);
  const style = { gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, minHeight: `${height}px` };
  return html`<ul class="wall" ref=${element} style=${style}>
    ${rows.length === 0 && html`<li class="alone"><${Empty}>${_("No agent fits.")}<//></li>`}
    ${rows.map((row) => html`<${Tile} key=${row.id} row=${row} />`)}
  </ul>`;
}

function Tile({ row }) {
  const [task] = row.tasks ?? [];
  const load = row.capacity ? `${number(row.held)}/${number(row.capacity)}` : row.held ? number(row.held) : "";
  const name = row.name || row.id;
  const state = row.draining || row.presence !== "online" ? presence(row) : row.held ? (task?.title ?? _("at work")) : _("idle");
  return html`<li class="tile ${toneOf(row)}"><a href=${href("agents", row.id)} title=${`${name}\n${presence(row)}${task ? `\n${task.title}` : ""}`}>
    <b class=${name.length > 13 ? "long" : ""}>${name}</b><span>${state}</span><i>${load}</i></a></li>`;
}
