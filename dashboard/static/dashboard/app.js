// The page: which part is shown, and what surrounds it.

import { Agents } from "./agents.js";
import { Board } from "./board.js";
import { Dialogs } from "./dialog.js";
import { number, since } from "./format.js";
import { _, ngettext, say } from "./i18n.js";
import { Jobs } from "./jobs.js";
import { Letters } from "./letters.js";
import { Overview } from "./overview.js";
import { Empty, useStore } from "./parts.js";
import { html, render, useEffect, useState } from "./preact.js";
import { open, state } from "./store.js";
import { Run } from "./run.js";
import { Search } from "./search.js";
import { Timeline } from "./timeline.js";
import { Usage } from "./usage.js";

const pages = [
  { path: "", name: () => _("Overview"), page: Overview },
  { path: "board", name: () => _("Board"), page: Board },
  { path: "agents", name: () => _("Agents"), page: Agents },
  { path: "jobs", name: () => _("Jobs"), page: Jobs },
  { path: "timeline", name: () => _("Timeline"), page: Timeline },
  { path: "usage", name: () => _("Usage"), page: Usage },
  {
    path: "dead-letters", name: () => _("Dead letters"), page: Letters,
    count: () => state.counters?.dead_letters,
  },
  { path: "search", name: () => _("Search"), page: Search },
];
const unlisted = [{ path: "run", name: () => _("Run"), page: Run }];

function place() {
  const [path = "", id, more] = location.hash.replace(/^#\/?/, "").split("/");
  return { page: [...pages, ...unlisted].find((one) => one.path === path) ?? pages[0], id, more };
}

function usePlace() {
  const [here, go] = useState(place);
  useEffect(() => {
    const changed = () => go(place());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return here;
}

function Nav() {
  useStore();
  const here = usePlace();
  return html`<ul>${pages.map(({ path, name, count }) => html`<li key=${path}>
    <a href="#/${path}" aria-current=${here.page.path === path ? "page" : undefined}>${name()}${count?.() > 0 && html`<span class="count bad">${number(count())}</span>`}</a>
  </li>`)}</ul>`;
}

const connections = {
  live: () => _("Live"),
  stream: () => _("Live (stream)"),
  polling: () => _("Polling"),
  reconnecting: () => _("Connecting again"),
  offline: () => _("Offline"),
  refused: () => _("Not allowed"),
};

/** The duration changes every second; screen readers would read it aloud each time, so it is hidden from them. */
function connection() {
  const element = document.getElementById("connection");
  const { connection: now, brokenAt } = state;
  const text = connections[now]();
  const away = brokenAt ? say(_("for %(time)s"), { time: since(brokenAt) }) : "";
  if (element.dataset.state !== now) {
    element.dataset.state = now;
    element.innerHTML = "<span></span><span aria-hidden=\"true\"></span>";
    element.firstChild.textContent = text;
  }
  if (element.lastChild.textContent !== away) element.lastChild.textContent = away;
}

function Bell() {
  useStore();
  const count = state.notifications.length;
  if (!count) return null;
  const label = say(ngettext("%(n)s notification", "%(n)s notifications", count), { n: number(count) });
  return html`<a class="count bad" href="#/" aria-label=${label} title=${label}>${number(count)} !</a>`;
}

function Main() {
  useStore();
  const here = usePlace();
  useEffect(connection);
  const title = here.page.name();
  useEffect(() => {
    document.title = `${title} · ${_("Coordinator")}`;
  }, [title]);
  useEffect(() => {
    if (state.ready) document.getElementById("main").removeAttribute("aria-busy");
  }, [state.ready]);
  if (!state.ready) {
    return html`<${Empty}>${state.failure ? state.failure.message : _("One moment…")}<//>`;
  }
  return html`<${here.page.page} key=${`${here.page.path}/${here.page.path === "run" ? here.id : ""}`} id=${here.id} chain=${here.more} />`;
}

function Stack() {
  useStore();
  return html`<${Dialogs} />`;
}

const put = (view, id) => {
  const element = document.getElementById(id);
  element.textContent = "";
  render(view, element);
};

// A link to the content must not be taken for a page.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});

document.addEventListener("click", (event) => {
  const menu = document.querySelector("details.menu");
  if (menu.open && !menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  const menu = document.querySelector("details.menu");
  if (event.key === "Escape" && menu.open) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

put(html`<${Nav} />`, "nav");
put(html`<${Bell} />`, "bell");
put(html`<${Main} />`, "main");
put(html`<${Stack} />`, "dialogs");
open();
