// Search and commands: by Ctrl-K, Cmd-K or "/". Things by a part of their name or id, pages, and what
// may be done to the thing whose page is open.

import { get, query } from "./api.js";
import { word } from "./format.js";
import { _, say } from "./i18n.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./preact.js";
import { go, href } from "./route.js";
import { state } from "./store.js";
import { begin, presence, verbsFor } from "./verbs.js";

const AFTER_TYPING = 150;
const MOST_KNOWN = 5;

let isOpen = false;
let tell = () => {};
let pages = [];

/** The pages that can be gone to, as the navigation names them. */
export const offerPages = (known) => {
  pages = known;
};

export function openPalette() {
  if (isOpen || document.querySelector("dialog[open]")) return;
  isOpen = true;
  tell();
}

const isTyping = ({ target }) => target.closest?.("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  const called = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k";
  const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event);
  if (!called && !slash) return;
  event.preventDefault();
  openPalette();
});

export function Palette() {
  const [, paint] = useState(0);
  useEffect(() => {
    tell = () => paint((count) => count + 1);
    return () => {
      tell = () => {};
    };
  }, []);
  const close = () => {
    isOpen = false;
    paint((count) => count + 1);
  };
  return isOpen ? html`<${Box} close=${close} />` : null;
}

const has = (text) => (part) => text.toLowerCase().includes(part);

const hasAll = (text, wanted) => wanted.split(/\s+/).every(has(text));

/** Whether a verb is asked for, with or without the name of what it is used on. */
const asksFor = (verb, title, wanted) =>
  hasAll(`${verb.label} ${title}`, wanted) && wanted.split(/\s+/).some(has(verb.label));

/** What is offered without the server: commands for the open thing, pages, the search. */
function known(text) {
  const wanted = text.toLowerCase();
  const here = state.open;
  const commands = here ? verbsFor(here.kind, here.row)
    .filter((verb) => asksFor(verb, here.title, wanted))
    .map((verb) => ({ name: verb.label, hint: here.title, danger: verb.danger, run: () => begin(here.kind, verb, verb.alone ? [] : [here.row.id], here.title, here.row) })) : [];
  const places = pages.map((page) => ({ name: page.name(), to: href(page.path) })).filter((one) => hasAll(one.name, wanted));
  const words = text ? [{ name: say(_("Search documents and code for “%(words)s”"), { words: text }), to: href("search", [], { q: text }) }] : [];
  return { commands, places, words };
}

const channel = (row) => state.channels.get(row.channel_id)?.name;

const hint = (...parts) => [...parts.slice(0, -1), word(parts.at(-1))].filter(Boolean).join(" · ");

const named = {
  tasks: (row) => ({ name: row.title, hint: hint(row.chain ?? channel(row), row.status), to: href("tasks", row.id) }),
  chains: (row) => ({ name: row.name, hint: hint(channel(row), row.status), to: href("chains", row.id) }),
  jobs: (row) => ({ name: row.name || row.id, hint: word(row.status), to: href("jobs", row.id) }),
  agents: (row) => ({ name: row.name || row.id, hint: presence(row), to: href("agents", row.id) }),
  channels: (row) => ({ name: row.name, hint: "", to: href("board", row.id) }),
};

function groupsOf(text, found) {
  const { commands, places, words } = known(text);
  const of = (kind) => (found?.[kind] ?? []).map(named[kind]);
  // First what is named as it is asked for: a page of that name, an agent before the tasks that mention it.
  const begins = ([, rows]) => rows.some((row) => row.name.toLowerCase().startsWith(text.toLowerCase()));
  const things = [
    [_("Tasks"), of("tasks")],
    [_("Chains"), of("chains")],
    [_("Agents"), of("agents")],
    [_("Jobs"), of("jobs")],
    [_("Channels"), of("channels")],
  ];
  const isAsked = ({ name }) => name.toLowerCase() === text.toLowerCase();
  const page = [_("Pages"), text ? [...places.filter(isAsked), ...places.filter((one) => !isAsked(one))].slice(0, MOST_KNOWN) : places];
  const pageFirst = places.some(isAsked);
  return [
    [_("Commands"), commands],
    ...(pageFirst ? [page] : []),
    ...things.filter(begins),
    ...things.filter((group) => !begins(group)),
    ...(pageFirst ? [] : [page]),
    [_("Search"), words],
  ].filter(([, rows]) => rows.length);
}

function useFound(text) {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let wanted = true;
    if (!text) {
      setFound(null);
      setProblem("");
      return () => {};
    }
    const timer = setTimeout(() => get(query("/console/find", { text })).then(
      (answer) => {
        if (!wanted) return;
        setFound({ text, ...answer });
        setProblem("");
      },
      (refusal) => wanted && setProblem(refusal.message),
    ), AFTER_TYPING);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [text]);
  return { found, problem, settled: !text || found?.text === text || Boolean(problem) };
}

function Box({ close }) {
  const element = useRef();
  const list = useRef();
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const [hasty, setHasty] = useState(false);
  const text = typed.trim();
  const { found, problem, settled } = useFound(text);
  const groups = groupsOf(text, found);
  const options = groups.flatMap(([, rows]) => rows);
  const chosen = Math.min(at, options.length - 1);
  // At once, not after the next frame: what is typed meanwhile belongs in it.
  useLayoutEffect(() => {
    const from = document.activeElement;
    element.current.showModal();
    return () => from?.isConnected && from.focus();
  }, []);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [chosen, options.length]);
  const use = (option, apart) => {
    if (!option) return;
    if (apart && option.to) {
      window.open(option.to, "_blank", "noopener");
      return;
    }
    close();
    if (option.run) option.run();
    else go(option.to);
  };
  useEffect(() => {
    if (hasty && settled) use(options[0]);
  }, [hasty, settled]);
  const key = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && options.length) {
      event.preventDefault();
      setAt((chosen + step + options.length) % options.length);
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      // Who types faster than the server answers gets what was typed.
      if (settled || chosen) use(options[chosen], event.ctrlKey || event.metaKey);
      else setHasty(true);
    }
  };
  const type = (event) => {
    setTyped(event.target.value);
    setAt(0);
    setHasty(false);
  };
  const outside = (event) => event.target === element.current && close();
  // The browser tells only later that it has closed a dialog; until then the keys would open nothing.
  const cancel = (event) => {
    event.preventDefault();
    close();
  };
  let place = -1;
  return html`<dialog ref=${element} class="palette" aria-label=${_("Search and commands")} onCancel=${cancel} onClose=${close} onMouseDown=${outside}>
    <input type="text" role="combobox" autocomplete="off" spellcheck=${false} maxlength="200" autofocus
      aria-label=${_("Find tasks, chains, agents, jobs, channels, pages and commands")} placeholder=${_("Name, title or id …")}
      aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list"
      aria-activedescendant=${options.length ? `palette-${chosen}` : undefined}
      value=${typed} onInput=${type} onKeyDown=${key} />
    <div role="listbox" id="palette-list" aria-label=${_("Results")} ref=${list} data-answers=${settled ? text : undefined}>
      ${groups.map(([name, rows], group) => html`<div role="group" aria-labelledby="palette-group-${group}" key=${name}>
        <p id="palette-group-${group}" role="presentation">${name}</p>
        ${rows.map((option) => {
          place += 1;
          return html`<${Option} key=${`${option.to ?? ""} ${option.name}`} option=${option} place=${place} selected=${place === chosen} use=${use} />`;
        })}
      </div>`)}
    </div>
    <p class="soft small palette-foot" role="status">${problem || (settled && !options.length ? _("Nothing was found.") : _("↑ ↓ choose · Enter open · Ctrl+Enter in a new tab · Esc close"))}</p>
  </dialog>`;
}

function Option({ option, place, selected, use }) {
  const click = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab, as with any link
    event.preventDefault();
    use(option);
  };
  const shared = { id: `palette-${place}`, role: "option", "aria-selected": selected ? "true" : "false", tabindex: "-1", onClick: click };
  const inside = html`<span class="grow">${option.name}</span><span class="soft small">${option.hint}</span>`;
  return option.to
    ? html`<a ...${shared} href=${option.to}>${inside}</a>`
    : html`<div ...${shared} class=${option.danger ? "danger" : ""}>${inside}</div>`;
}
