// Search: tasks and what they have left, documents, code, and the agents and jobs that the page knows.

import { get, query } from "./api.js";
import { _, say } from "./i18n.js";
import { html, useEffect, useState } from "./preact.js";
import { Empty } from "./parts.js";
import { state } from "./store.js";
import { TaskLink } from "./links.js";
import { href, useValues } from "./route.js";

const AFTER_TYPING = 300;
const MOST = 12;

const nothing = { items: [] };

export function Search() {
  const [{ q: words }, change] = useValues({ q: "" });
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let wanted = true;
    const asked = words.trim();
    if (!asked) {
      setFound(null);
      setProblem("");
      return () => {};
    }
    const timer = setTimeout(async () => {
      try {
        const values = { q: asked, k: MOST };
        const [documents, code] = await Promise.all([
          get(query("/api/search/docs", values)),
          get(query("/api/search/code", values)).catch(() => nothing),
        ]);
        if (!wanted) return;
        setFound({ documents: documents.items, code: code.items });
        setProblem("");
      } catch (refusal) {
        if (!wanted) return;
        setFound(null);
        setProblem(refusal.message);
      }
    }, AFTER_TYPING);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [words]);
  const known = found ? knownBy(words.trim().toLowerCase()) : [];
  const all = found ? [...known, ...found.documents, ...found.code] : [];
  return html`<section class="panel" aria-labelledby="search">
    <header><h1 id="search">${_("Search")}</h1>
      <input type="search" aria-label=${_("Words to search for")} value=${words} maxlength="500" style=${{ width: "min(26rem, 100%)" }}
        onInput=${(event) => change({ q: event.target.value }, { replace: true })} /></header>
    <div role="status">
      ${problem && html`<${Empty}>${problem}<//>`}
      ${!found && !problem && html`<${Empty}>${_("Finds tasks and what they have left, agents, jobs, documents and code.")}<//>`}
      ${found && all.length === 0 && html`<${Empty}>${_("Nothing was found.")}<//>`}
      ${found && all.length > 0 && html`<p class="sr">${say(_("%(n)s found"), { n: all.length })}</p>`}
    </div>
    <ul class="list">
      ${known.map((one) => html`<li key=${one.href + one.name}><a class="name" href=${one.href}>${one.name}</a><span class="soft small">${one.kind}</span></li>`)}
      ${found?.documents.map((one, at) => html`<${Found} key=${`d${at}`} one=${one} />`)}
      ${found?.code.map((one, at) => html`<${Found} key=${`c${at}`} one=${one} />`)}
    </ul>
  </section>`;
}

/** Agents, channels and jobs whose name has the words. */
function knownBy(words) {
  const among = (rows, name, href, kind) =>
    [...rows].filter((row) => name(row).toLowerCase().includes(words)).slice(0, MOST)
      .map((row) => ({ name: name(row), href: href(row), kind }));
  return [
    ...among(state.agents.values(), (row) => row.name || row.id, (row) => href("agents", row.id), _("Agent")),
    ...among(state.channels.values(), (row) => row.name, (row) => href("board", row.id), _("Channel")),
    ...among(state.jobs.values(), (row) => row.name || row.id, (row) => href("jobs", row.id), _("Job")),
  ];
}

function Found({ one }) {
  const place = `${one.path}:${one.first_line}`;
  const name = one.symbol ?? one.section ?? one.path;
  return html`<li data-found=${one.path}>
    ${one.task_id
      ? one.source === "log"
        ? html`<a class="name" href="#/run/${one.task_id}">${_("Log")}</a>`
        : html`<${TaskLink} class="name" id=${one.task_id}>${name}<//>`
      : html`<strong class="name">${name}</strong>`}
    <span class="grow soft small">${one.task_id ? "" : place}</span>
    <pre class="snippet">${marked(one)}</pre>
  </li>`;
}

/** The snippet with its marks, whose places count characters and not halves of some. */
function marked({ snippet, marks }) {
  const letters = Array.from(snippet);
  const parts = [];
  let behind = 0;
  for (const [start, end] of marks) {
    parts.push(letters.slice(behind, start).join(""), html`<mark>${letters.slice(start, end).join("")}</mark>`);
    behind = end;
  }
  return [...parts, letters.slice(behind).join("")];
}
