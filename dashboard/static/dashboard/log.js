// The log of a task as it grows: coloured, searched, and linked line by line.

import { pieces, plain } from "./ansi.js";
import { number, time } from "./format.js";
import { _, ngettext, say } from "./i18n.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { copy, Empty } from "./parts.js";

const MOST = 100_000; // lines that a page keeps; all of them are in the text
const PAINT_AFTER = 100;
const SILENCE = 500; // milliseconds after which an open log is taken to have no line yet
const ROW = 20; // pixels, as in parts.css
const BEYOND = 20; // rows painted above and below those that are seen

/** Read the log from its beginning and follow it; `changed` is called when there are more lines. */
class Lines {
  constructor(taskId, changed) {
    this.rows = [];
    this.dropped = 0;
    this.state = "opening";
    this.changed = changed;
    this.source = new EventSource(`/v1/tasks/${taskId}/logs?follow=1`);
    this.source.onmessage = (event) => this.add(JSON.parse(event.data));
    this.source.addEventListener("end", () => this.close("ended"));
    this.source.onopen = () => setTimeout(() => this.begin(), SILENCE);
    this.source.onerror = () => {
      if (this.source.readyState === EventSource.CLOSED) this.close("refused");
      else this.say("broken"); // it goes on by itself, from the last line that came
    };
  }

  /** It is open; what there is of the log has come by then, or comes with the next line. */
  begin() {
    if (this.state === "opening" || this.state === "broken") this.say("reading");
  }

  add(row) {
    this.begin();
    this.rows.push(row);
    if (this.rows.length > MOST * 1.1) {
      this.dropped += this.rows.length - MOST;
      this.rows = this.rows.slice(-MOST);
    }
    this.soon();
  }

  soon() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.changed();
    }, PAINT_AFTER);
  }

  say(state) {
    this.state = state;
    this.soon();
  }

  close(state) {
    this.source.close();
    if (state) this.say(state);
    else clearTimeout(this.timer);
  }
}

const states = {
  opening: () => _("One moment…"),
  reading: () => _("Live"),
  ended: () => _("The log is complete."),
  broken: () => _("Connecting again"),
  refused: () => _("The log cannot be read."),
};

const empty = {
  ...states,
  reading: () => _("It has written nothing yet."),
  ended: () => _("It has written nothing."),
};

/** Indices of the rows that contain the text. */
function found(rows, text) {
  if (!text) return [];
  const sought = text.toLowerCase();
  const places = [];
  rows.forEach((row, at) => plain(row.message).toLowerCase().includes(sought) && places.push(at));
  return places;
}

export function Log({ id, line }) {
  const box = useRef();
  const lines = useRef(null);
  const [, paint] = useState(0);
  const [follow, setFollow] = useState(!line);
  const [sought, setSought] = useState("");
  const [at, setAt] = useState(0);
  const [view, setView] = useState({ top: 0, height: 480 });
  useEffect(() => {
    lines.current = new Lines(id, () => paint((count) => count + 1));
    return () => lines.current.close();
  }, [id]);
  const { rows = [], dropped = 0, state = "opening" } = lines.current ?? {};
  const hits = found(rows, sought);
  const show = (index) => {
    setFollow(false);
    box.current.scrollTop = Math.max(0, index * ROW - box.current.clientHeight / 2);
  };
  useEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  useEffect(() => {
    const { scrollTop: top, clientHeight: height } = box.current;
    if (height && height !== view.height) setView({ top, height }); // as tall as its lines, up to a limit
  });
  const wanted = line ? line - 1 - dropped : -1;
  const there = wanted >= 0 && wanted < rows.length;
  useEffect(() => {
    if (there) show(wanted);
  }, [there, wanted]);
  const go = (step) => {
    if (!hits.length) return;
    const next = (at + step + hits.length) % hits.length;
    setAt(next);
    show(hits[next]);
  };
  const seek = (event) => {
    setSought(event.target.value);
    setAt(0);
    const places = found(rows, event.target.value);
    if (places.length) show(places[0]);
  };
  const keys = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    go(event.shiftKey ? -1 : 1);
  };
  const scrolled = () => {
    const { scrollTop: top, clientHeight: height, scrollHeight: all } = box.current;
    setView({ top, height });
    if (follow && top + height < all - 2 * ROW) setFollow(false);
  };
  const first = Math.max(0, Math.floor(view.top / ROW) - BEYOND);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW) + BEYOND);
  return html`<section class="panel log" aria-labelledby="log">
    <header>
      <h2 id="log">${_("Log")}</h2>
      <span class="soft small" role="status">${states[state]()}</span>
      <label class="small">${_("Search")} <input type="search" value=${sought} onInput=${seek} onKeyDown=${keys} /></label>
      <span class="soft small" aria-live="polite">${sought && say(_("%(n)s of %(all)s"), { n: number(hits.length ? at + 1 : 0), all: number(hits.length) })}</span>
      <span class="steps"><button type="button" aria-label=${_("Match before")} disabled=${!hits.length} onClick=${() => go(-1)}>↑</button>
      <button type="button" aria-label=${_("Next match")} disabled=${!hits.length} onClick=${() => go(1)}>↓</button></span>
      <label class="check small"><input type="checkbox" checked=${follow} onChange=${(event) => setFollow(event.target.checked)} /> ${_("Follow")}</label>
      <a class="small" href="/v1/tasks/${id}/logs?format=text" download="${id}.log">${_("Download")}</a>
    </header>
    ${dropped > 0 && html`<p class="warn small">${say(ngettext("%(n)s earlier line is in the download only.", "%(n)s earlier lines are in the download only.", dropped), { n: number(dropped) })}</p>`}
    ${rows.length === 0 && html`<${Empty}>${empty[state]()}<//>`}
    <div class="lines" hidden=${rows.length === 0} ref=${box} onScroll=${scrolled} tabindex="0" role="log" aria-live="off" aria-label=${_("Log")}>
      <div style=${{ height: `${rows.length * ROW}px` }}>
        <div style=${{ transform: `translateY(${first * ROW}px)` }}>
          ${rows.slice(first, last).map((row, index) => html`<${Row} key=${dropped + first + index} row=${row} id=${id}
            number=${dropped + first + index + 1} chosen=${first + index === wanted} hit=${sought && hits[at] === first + index} />`)}
        </div>
      </div>
    </div>
  </section>`;
}

function Row({ row, id, number: place, chosen, hit }) {
  const address = `#/run/${id}/${place}`;
  const link = () => copy(`${location.origin}${location.pathname}${address}`, _("The link to this line has been copied."));
  return html`<div class="line ${row.stream} ${chosen ? "chosen" : ""} ${hit ? "hit" : ""}" data-line=${place}>
    <a href=${address} onClick=${link} tabindex="-1">${place}</a>
    <time datetime=${row.timestamp}>${time(row.timestamp)}</time>
    <span>${pieces(row.message).map(([text, classes]) => (classes ? html`<i class=${classes}>${text}</i>` : text))}</span>
  </div>`;
}
