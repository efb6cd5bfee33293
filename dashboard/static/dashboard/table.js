// A table of any number of rows, of which those in sight are drawn; on a narrow screen, of cards.
//
// Its columns keep their widths. By keyboard: arrows, Page Up and Down, Home and End go through the
// rows, Space chooses one, with Shift all between, Enter opens it, and M opens its menu.

import { _, ngettext, say } from "./i18n.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./preact.js";
import { number } from "./format.js";
import { Empty } from "./parts.js";
import { state } from "./store.js";
import { begin, verbsFor } from "./verbs.js";

const CARDS_BELOW = 760; // pixels
const ROW = 2.5, CARD = 6.2; // rem
const AHEAD = 8; // rows beyond those in sight
const LOAD_WITHIN = 60; // rows before the end of what is loaded
const MOST_DRY = 3; // pages in a row without a row, until somebody asks for more

const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

/** The width of an element, as it changes. */
function useWidth(element) {
  const [width, setWidth] = useState(innerWidth);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(entry.contentRect.width));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return width;
}

/** The head of a table sticks below that of the page. */
function useTop() {
  useLayoutEffect(() => {
    const top = document.querySelector(".top");
    const observer = new ResizeObserver(() =>
      document.documentElement.style.setProperty("--top", `${getComputedStyle(top).position === "sticky" ? top.offsetHeight : 0}px`));
    observer.observe(top);
    return () => observer.disconnect();
  }, []);
}

/** Which rows are in sight: the first, and how many. The page scrolls, the table does not. */
function useSight(element, height) {
  const [sight, setSight] = useState([0, 40]);
  useLayoutEffect(() => {
    let asked = false;
    const look = () => {
      asked = false;
      if (!element.current) return;
      const { top } = element.current.getBoundingClientRect();
      const first = Math.max(0, Math.floor(-top / height) - AHEAD);
      const most = Math.ceil(innerHeight / height) + 2 * AHEAD;
      // In steps, so that not every pixel of scrolling draws anew.
      const begun = first - (first % 4);
      setSight((old) => (old[0] === begun && old[1] === most ? old : [begun, most]));
    };
    const soon = () => {
      if (!asked) requestAnimationFrame(look);
      asked = true;
    };
    look();
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    return () => {
      removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
    };
  }, [height]);
  return sight;
}

const NONE = new Set();

/** What is chosen: ids, kept while the rows change; none any more when `of`, which says what rows are
listed, is another: nobody chooses what is not shown. */
export function useChosen(of = "") {
  const [kept, keep] = useState({ of, ids: NONE });
  const chosen = kept.of === of ? kept.ids : NONE;
  const setChosen = (next) => keep((old) => {
    const ids = old.of === of ? old.ids : NONE;
    return { of, ids: typeof next === "function" ? next(ids) : next };
  });
  const flip = (ids, on) => setChosen((old) => {
    const next = new Set(old);
    for (const id of ids) if (on ?? !next.has(id)) next.add(id); else next.delete(id);
    return next;
  });
  return { ids: chosen, flip, clear: () => setChosen(new Set()), put: (ids) => setChosen(new Set(ids)) };
}

/** `columns`: {name, label, width, cell(row), from, card, num, sort}; `list`: of `useRows`.

`kind` of the verbs, `open(row)` the way of Enter, `title(row)` its name for screen readers. */
export function Table({ label, columns, list, kind, title, open, chosen, sort, empty, verbs, marks }) {
  const body = useRef(), frame = useRef();
  useTop();
  const width = useWidth(frame);
  const cards = width < CARDS_BELOW;
  const height = Math.round((cards ? CARD : ROW) * rem());
  const [first, most] = useSight(body, height);
  const [active, setActive] = useState(0);
  const [menu, setMenu] = useState(null);
  const last = useRef(null);
  const kept = useRef(false);
  const { rows } = list;
  const shown = cards ? columns : columns.filter((column) => (column.from ?? 0) <= width);
  const offered = verbs ?? ((row) => (kind ? verbsFor(kind, row) : []));
  const acts = Boolean(kind || verbs);
  const template = [chosen && "2.4rem", ...shown.map((column) => column.width), acts && "2.6rem"].filter(Boolean).join(" ");
  useEffect(() => {
    if (list.dry < MOST_DRY && first + most > rows.length - LOAD_WITHIN) list.more();
  }, [first, most, rows.length, list.next]);
  useEffect(() => {
    list.show?.(rows.slice(first, first + most).map((row) => row.id));
  }, [first, most, rows, rows.length]);
  const at = Math.min(active, Math.max(0, rows.length - 1));
  const focusOn = (place) => body.current?.querySelector(`[data-place="${place}"]`)?.focus({ preventScroll: true });
  const go = (place, extend) => {
    kept.current = true;
    const goal = Math.max(0, Math.min(rows.length - 1, place));
    setActive(goal);
    const { top } = body.current.getBoundingClientRect();
    const y = top + goal * height, below = innerHeight - height - 16, above = headBottom(frame.current);
    if (y < above) scrollBy(0, y - above);
    else if (y > below) scrollBy(0, y - below);
    if (extend && chosen) chosen.flip([rows[at].id, rows[goal].id], true);
    requestAnimationFrame(() => focusOn(goal));
  };
  const choose = (place, range) => {
    const [from, to] = range && last.current !== null ? [Math.min(last.current, place), Math.max(last.current, place)] : [place, place];
    if (from === to) chosen.flip([rows[place].id]);
    else chosen.flip(rows.slice(from, to + 1).map((row) => row.id), true);
    last.current = place;
  };
  const showMenu = (place, button) => {
    const { bottom, top, right } = button.getBoundingClientRect();
    setMenu({ row: rows[place], x: right, top, bottom, from: button });
  };
  const key = (event) => {
    const row = event.target.closest("[data-place]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = Number(row.dataset.place), page = Math.floor(innerHeight / height) - 3;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (step) go(place + step, event.shiftKey);
    else if (event.target !== row) return;
    else if (event.key === " " && chosen) choose(place, event.shiftKey);
    else if (event.key === "Enter" && open) open(rows[place]);
    else if (event.key === "m" && acts && offered(rows[place]).length) showMenu(place, row.querySelector(".more") ?? row);
    else return;
    event.preventDefault();
  };
  const every = useMemo(() => Boolean(chosen) && rows.length > 0 && chosen.ids.size >= rows.length &&
    rows.every((row) => chosen.ids.has(row.id)), [chosen?.ids, rows, rows.length]);
  const places = [];
  for (let place = first; place < Math.min(rows.length, first + most); place += 1) places.push(place);
  if (rows.length && !places.includes(at)) places[at < first ? "unshift" : "push"](at);
  // A row that is drawn at another place among the others loses the focus; it gets it back.
  useEffect(() => {
    const elsewhere = ({ target }) => {
      kept.current = Boolean(body.current?.contains(target));
    };
    addEventListener("pointerdown", elsewhere);
    return () => removeEventListener("pointerdown", elsewhere);
  }, []);
  useLayoutEffect(() => {
    if (kept.current && document.activeElement === document.body) focusOn(at);
  });
  return html`<div class="table ${cards ? "cards-of" : ""}" ref=${frame}><div role=${marks?.tree ? "treegrid" : "grid"} aria-label=${label}
      aria-rowcount=${list.next ? -1 : rows.length + 1} aria-multiselectable=${chosen ? "true" : undefined} aria-busy=${list.known ? undefined : "true"}>
    <div class="t-head" role="rowgroup"><div role="row" aria-rowindex="1" style=${{ gridTemplateColumns: template }}>
      ${chosen && html`<span role="columnheader" class="t-check"><input type="checkbox" aria-label=${_("All of this list")} checked=${every}
        onChange=${() => (every ? chosen.clear() : chosen.put(rows.map((row) => row.id)))} />${cards && html`<span>${_("All of this list")}</span>`}</span>`}
      ${cards ? html`<span role="columnheader"><span class="sr">${label}</span></span>` : shown.map((column) => html`<${Head} key=${column.name} ...${{ column, sort }} />`)}
      ${acts && !cards && html`<span role="columnheader"><span class="sr">${_("Actions")}</span></span>`}
    </div></div>
    ${rows.length === 0 && html`<div role="rowgroup"><div role="row"><div role="gridcell"><${Empty}>${list.problem ?? (list.known ? empty : _("One moment…"))}<//></div></div></div>`}
    <div class="t-body" role="rowgroup" ref=${body} style=${{ height: `${rows.length * height}px` }} onKeyDown=${key}>
      ${places.map((place) => html`<${Row} key=${rows[place].id} ...${{ row: rows[place], place, shown, cards, template, height, chosen, choose, title, acts, marks, offered }}
        tab=${place === at ? 0 : -1} focused=${() => setActive(place)} more=${(button) => showMenu(place, button)} />`)}
    </div></div>
    ${list.problem && rows.length > 0 && html`<p class="alarm" role="alert">${list.problem}</p>`}
    <p class="t-foot">${list.loading ? _("One moment…") : list.problem ? html`<button type="button" onClick=${() => list.begin()}>${_("Read again")}</button>` : list.next ? html`<button type="button" onClick=${() => list.more()}>${_("More")}</button>` : ""}</p>
    ${menu && html`<${RowMenu} ...${menu} ...${{ kind, title }} verbs=${offered(menu.row)} close=${() => setMenu(null)} />`}
  </div>`;
}

const headBottom = (frame) => frame.querySelector(".t-head").getBoundingClientRect().bottom;

function Head({ column, sort }) {
  const { name, label, num, sorts = [] } = column;
  const now = sorts.indexOf(sort?.value);
  const ways = ["descending", "ascending"];
  const next = sorts[(now + 1) % (sorts.length || 1)];
  return html`<span role="columnheader" class=${num ? "num" : ""} data-column=${name} title=${label} aria-sort=${sorts.length ? (now < 0 ? "none" : column.ways?.[now] ?? ways[now]) : undefined}>
    ${sort && sorts.length ? html`<button type="button" class="t-sort" onClick=${() => sort.set(next)}>${label}<i aria-hidden="true">${now < 0 ? "" : (column.ways?.[now] ?? ways[now]) === "ascending" ? "▲" : "▼"}</i></button>` : label}</span>`;
}

function Row({ row, place, shown, cards, template, height, chosen, choose, title, acts, offered, tab, focused, more, marks }) {
  const name = title(row);
  const is = chosen?.ids.has(row.id);
  const style = { transform: `translateY(${place * height}px)`, height: `${height}px`, ...(cards ? {} : { gridTemplateColumns: template }) };
  const kind = ["t-row", is && "chosen", row.deleted && "deleted", row.stale && "stale", marks?.of?.(row)].filter(Boolean).join(" ");
  const cell = (column) => html`<span role="gridcell" key=${column.name} class="t-${column.name} ${column.num && !cards ? "num" : ""} ${column.card ?? ""}">
    ${cards && column.card !== "title" && column.card !== "plain" && html`<b>${column.label}</b> `}${column.cell(row, cards)}</span>`;
  return html`<div role="row" class=${kind} style=${style} tabIndex=${tab} data-place=${place} data-row=${row.id} aria-rowindex=${place + 2}
      aria-selected=${chosen ? (is ? "true" : "false") : undefined} aria-level=${marks?.level?.(row)} aria-expanded=${marks?.expanded?.(row)} onFocus=${focused}>
    ${chosen && html`<span role="gridcell" class="t-check"><input type="checkbox" tabIndex=${tab} aria-label=${say(_("Choose “%(title)s”"), { title: name })}
      checked=${is} onClick=${(event) => choose(place, event.shiftKey)} /></span>`}
    ${cards ? html`${shown.filter((column) => column.card === "title").map(cell)}
      <div class="t-facts">${shown.filter((column) => column.card && column.card !== "title").map(cell)}</div>` : shown.map(cell)}
    ${acts && html`<span role="gridcell" class="t-more">${offered(row).length > 0 && !row.deleted && html`<button type="button" class="quiet more" tabIndex=${tab} aria-haspopup="menu"
      aria-label=${say(_("Actions: %(title)s"), { title: name })} onClick=${(event) => more(event.currentTarget)}>⋯</button>`}</span>`}
  </div>`;
}

/** The verbs of one row, beside its button. */
function RowMenu({ row, kind, title, verbs, x, top, bottom, from, close }) {
  const menu = useRef();
  useLayoutEffect(() => {
    const { offsetHeight, offsetWidth, style } = menu.current;
    style.left = `${Math.max(8, x - offsetWidth)}px`;
    style.top = `${bottom + offsetHeight + 8 > innerHeight ? Math.max(8, top - offsetHeight - 2) : bottom + 2}px`;
    menu.current.querySelector("button")?.focus({ preventScroll: true });
    const outside = (event) => menu.current?.contains(event.target) || close();
    const away = () => close();
    addEventListener("pointerdown", outside, true);
    addEventListener("scroll", away, { passive: true });
    addEventListener("resize", away);
    return () => {
      removeEventListener("pointerdown", outside, true);
      removeEventListener("scroll", away);
      removeEventListener("resize", away);
    };
  }, []);
  const back = () => {
    close();
    if (from.isConnected) from.focus({ preventScroll: true });
  };
  const key = (event) => {
    const items = [...menu.current.querySelectorAll("button")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    event.stopPropagation();
    if (step) items[(items.indexOf(event.target) + step + items.length) % items.length].focus();
    else if (event.key === "Escape" || event.key === "Tab") back();
    else return;
    event.preventDefault();
  };
  const use = (verb) => {
    back();
    if (verb.does) verb.does(row);
    else begin(kind, verb, [row.id], title(row), row);
  };
  return html`<div class="t-menu" role="menu" ref=${menu} aria-label=${say(_("Actions: %(title)s"), { title: title(row) })} onKeyDown=${key}>
    ${verbs.map((verb) => html`<button type="button" role="menuitem" tabIndex="-1" key=${verb.name} class=${verb.danger ? "danger" : ""} onClick=${() => use(verb)}>${verb.label}</button>`)}
  </div>`;
}

/** What may be done to the chosen rows: each verb that is offered on any of them. */
export function Bulk({ kind, chosen, list, every, alike = (row) => row.id }) {
  const count = chosen.ids.size;
  const found = useMemo(() => {
    // Among many rows are few kinds: each is judged once.
    const kinds = new Map();
    for (const id of chosen.ids) {
      const row = list.get(id);
      if (row) kinds.set(alike(row), row);
    }
    return new Map([...kinds.values()].flatMap((row) => verbsFor(kind, row).map((verb) => [verb.name, verb])));
  }, [chosen.ids, Math.floor(state.now / 5_000), state.verbs]);
  const title = say(ngettext("%(n)s chosen", "%(n)s chosen", count), { n: number(count) });
  if (!count && !every) return null;
  return html`<div class="t-bulk" role="group" aria-label=${_("What is chosen")}>
    ${count > 0 && html`<b>${title}</b>`}
    ${[...found.values()].map((verb) => html`<button type="button" key=${verb.name} class=${verb.danger ? "danger" : ""}
      onClick=${() => begin(kind, verb, [...chosen.ids].slice(0, MOST), title)}>${verb.label}</button>`)}
    ${count > MOST && html`<span class="warn small">${say(_("A verb is used on %(n)s at most: the first of them."), { n: number(MOST) })}</span>`}
    ${count > 0 && html`<button type="button" class="quiet" onClick=${chosen.clear}>${_("Choose none")}</button>`}
    ${every}
  </div>`;
}

export const MOST = 10_000;
