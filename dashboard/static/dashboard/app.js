// The page: which part is shown, and what surrounds it.

import { Actions } from "./actions_table.js";
import { AgentPage } from "./agent_page.js";
import { Agents } from "./agents.js";
import { Bell } from "./attention.js";
import { Board } from "./board.js";
import { ChainPage } from "./chain_page.js";
import { Dialogs } from "./dialog.js";
import { number, since } from "./format.js";
import { _, say } from "./i18n.js";
import { JobPage } from "./job_page.js";
import { Jobs } from "./jobs.js";
import { Letters } from "./letters.js";
import { Nav } from "./nav.js";
import { Overview } from "./overview.js";
import { offerPages, openPalette, Palette } from "./palette.js";
import { Empty, useStore } from "./parts.js";
import { html, render, useEffect } from "./preact.js";
import { usePlace } from "./route.js";
import { Run } from "./run.js";
import { Search } from "./search.js";
import { open, state } from "./store.js";
import { TaskPage } from "./task_page.js";
import { Tasks } from "./tasks_table.js";
import { Timeline } from "./timeline.js";
import { Usage } from "./usage.js";

// In the order of the navigation. `one`: the page of a single thing, whose id follows the path;
// `rare`: under "More"; `icon`: with one, a page may be at hand on a phone.
const pages = [
  { path: "", name: () => _("Overview"), page: Overview, icon: "overview" },
  { path: "board", name: () => _("Board"), page: Board, icon: "board" },
  { path: "tasks", name: () => _("Tasks"), page: Tasks, one: TaskPage, icon: "tasks" },
  { path: "agents", name: () => _("Agents"), page: Agents, one: AgentPage, icon: "agents" },
  { path: "jobs", name: () => _("Jobs"), page: Jobs, one: JobPage },
  {
    path: "dead-letters", name: () => _("Dead letters"), page: Letters,
    count: () => state.counters?.dead_letters,
  },
  { path: "timeline", name: () => _("Timeline"), page: Timeline, rare: true },
  { path: "actions", name: () => _("Operator actions"), page: Actions, rare: true },
  { path: "usage", name: () => _("Usage"), page: Usage, rare: true },
  { path: "search", name: () => _("Search"), page: Search, rare: true },
];

// Not in the navigation; `within`: the page there to which they belong.
const further = [
  { path: "chains", name: () => _("Chain"), one: ChainPage, within: "board" },
  { path: "channels", name: () => _("Board"), page: Board, within: "board" },
  { path: "run", name: () => _("Run"), one: Run, within: "jobs" },
];

/** What is shown at a place: what has a page for an id there, or for all. */
function pageAt({ path, id }) {
  const found = [...pages, ...further].filter((one) => one.path === path);
  const of = found.find((one) => (id ? one.one : one.page)) ?? found.find((one) => one.page);
  return of ? { ...of, view: id && of.one ? of.one : of.page } : null;
}

offerPages(pages);

function Navigation() {
  const found = pageAt(usePlace());
  return html`<${Nav} pages=${pages} current=${found?.within ?? found?.path} />`;
}

const Nowhere = () => html`<section class="panel"><header><h1>${_("There is no such page")}</h1></header>
  <${Empty}>${_("The address names no page of the dashboard.")}<br /><a href="#/">${_("Overview")}</a>${" · "}
    <button type="button" class="link" onClick=${openPalette}>${_("Find")}</button><//></section>`;

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

function Main() {
  useStore();
  const here = usePlace();
  useEffect(connection);
  const found = pageAt(here);
  const title = found ? found.name() : _("There is no such page");
  // The board stays where it is when the channel is another; things have a page each.
  const key = `${here.path}/${found?.view === found?.one ? here.id : ""}`;
  useEffect(() => {
    if (!state.open) document.title = `${title} · ${_("Coordinator")}`;
  }, [title, key]);
  useEffect(() => {
    if (state.ready) document.getElementById("main").removeAttribute("aria-busy");
  }, [state.ready]);
  useArrival(key);
  if (!state.ready) {
    return html`<${Empty}>${state.failure ? state.failure.message : _("One moment…")}<//>`;
  }
  if (!found) return html`<${Nowhere} />`;
  return html`<${found.view} key=${key} id=${here.id} more=${here.more} />`;
}

const PATIENCE = 5_000; // milliseconds within which what was there is there again
const MOVES = ["wheel", "touchstart", "pointerdown", "keydown"];

history.scrollRestoration = "manual";
let scrolling;
addEventListener("scroll", () => {
  clearTimeout(scrolling);
  scrolling = setTimeout(() => history.replaceState({ y: scrollY }, ""), 200);
}, { passive: true });

/** A new page begins at its top; back and forward lead to where one was, as soon as so much is read
again, unless somebody goes elsewhere meanwhile. Who came by a link that is gone now goes on from the
content. */
function useArrival(key) {
  useEffect(() => {
    clearTimeout(scrolling);
    const goal = history.state?.y ?? 0;
    const until = performance.now() + (goal ? PATIENCE : 0);
    let wanted = true;
    const stop = () => {
      wanted = false;
      for (const name of MOVES) removeEventListener(name, stop);
    };
    const step = () => {
      if (!wanted) return;
      scrollTo(0, goal);
      if (Math.abs(scrollY - goal) > 1 && performance.now() < until) requestAnimationFrame(step);
      else stop();
    };
    for (const name of MOVES) addEventListener(name, stop, { passive: true });
    step();
    const { activeElement } = document;
    if (state.ready && (activeElement === document.body || activeElement?.closest("#nav"))) {
      document.getElementById("main").focus({ preventScroll: true });
    }
    return stop;
  }, [key, state.ready]);
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

put(html`<${Navigation} />`, "nav");
put(html`<${Bell} />`, "bell");
put(html`<${Main} />`, "main");
put(html`<${Stack} />`, "dialogs");
put(html`<${Palette} />`, "palette");
const find = document.getElementById("find");
find.addEventListener("click", openPalette);
if (/Mac|iP/.test(navigator.platform)) find.querySelector("kbd").textContent = "⌘ K";

// Another language is that of the same page.
document.getElementById("language")?.form.addEventListener("submit", ({ target }) => {
  target.elements.next.value = `/${location.hash}`;
});
open();
