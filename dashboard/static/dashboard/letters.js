// Dead letters: tasks that failed for good and wait for a person; by cause and by errors that are alike.

import { get, query } from "./api.js";
import { AllThatMatch, channels, Filters, period } from "./filters.js";
import { because, given, number } from "./format.js";
import { _, say } from "./i18n.js";
import { html, useEffect, useState } from "./preact.js";
import { Ago, announce, tasksOf } from "./parts.js";
import { go, href, place, useValues } from "./route.js";
import { useRows } from "./rows.js";
import { state } from "./store.js";
import { tasksAgain } from "./tasks_table.js";
import { Bulk, Table, useChosen } from "./table.js";
import { begin, verbsFor } from "./verbs.js";
import { Views } from "./views.js";

const PATH = "/console/tables/dead-letters";
const PAGE = 100;
const DEAD_LETTER = { status: "failed" };
const ALL = "all";
const USUAL = { channel: "", reason: "", age: "", from: "", to: "", group: "" };

const asked = ({ channel, reason, ...ages }) => ({ channel_id: channel, dead_letter: reason, ...period(ages, "finished") });
const namesOf = (ids) => ids.map((id) => state.channels.get(id)?.name ?? "…").join(", ");
const counted = (row, more) => `${number(row.count)}${more ? "+" : ""}`;
const errorOf = (row) => row.error || _("without an error");

/** How many of all; when some have come or gone, a list is read again. */
const version = () => state.counters.dead_letters;

/** Use a verb on all of a group: their ids are asked for when it is used. */
async function useOn(verb, group, values, title) {
  try {
    const { ids } = await get(query(`${PATH}/ids`, { ...asked(values), group }));
    begin("tasks", verb, ids, title);
  } catch (refusal) {
    announce(refusal.message);
  }
}

function groupColumns(more) {
  return [
    { name: "cause", label: _("Cause"), width: "minmax(9rem, 1fr)", card: "plain", cell: (row) => html`<span class="cause">${because(row.dead_letter)}</span>` },
    { name: "title", label: _("Error"), width: "minmax(12rem, 4fr)", card: "title", cell: (row) => html`<a class="mono" href=${href("dead-letters", [], { ...place().values, group: row.id })} tabIndex="-1" title=${row.error}>${errorOf(row)}</a>` },
    { name: "count", label: _("Tasks"), width: "6rem", num: true, card: "line", cell: (row) => html`<b>${counted(row, more)}</b>` },
    { name: "channel", label: _("Channels"), width: "minmax(8rem, 1.4fr)", from: 900, card: "line", cell: (row) => html`<span title=${namesOf(row.channels)}>${namesOf(row.channels)}</span>` },
    { name: "first", label: _("First"), width: "7rem", from: 1100, cell: (row) => html`<${Ago} at=${row.first_at} />` },
    { name: "last", label: _("Latest"), width: "7rem", card: "line", cell: (row) => html`<${Ago} at=${row.last_at} />` },
  ];
}

function Groups({ values, set }) {
  const [totals, setTotals] = useState({ more: false, more_groups: false, count: 0 });
  const list = useRows({
    key: JSON.stringify(values), version: version(), steady: true,
    read: async () => {
      const { groups, ...rest } = await get(query(PATH, asked(values)));
      setTotals(rest);
      return { rows: groups };
    },
  });
  const verbs = (row) => verbsFor("tasks", DEAD_LETTER).map((verb) => ({
    ...verb, does: () => useOn(verb, row.id, values, `${tasksOf(row.count)}: ${errorOf(row)}`),
  }));
  return html`<p class="t-note soft small">${totals.more ? say(_("Of the latest %(n)s; there are more, which may belong to these groups."), { n: number(totals.count) }) : tasksOf(totals.count)}
      ${totals.more_groups ? ` ${_("Only the largest groups are shown.")}` : ""}</p>
    <${Table} label=${_("Groups of dead letters")} columns=${groupColumns(totals.more)} list=${list} title=${errorOf} verbs=${verbs}
      open=${(row) => set({ group: row.id })} empty=${_("No dead letters.")} />`;
}

function letterColumns() {
  return [
    { name: "title", label: _("Title"), width: "minmax(11rem, 2fr)", card: "title", cell: (row) => html`<a href=${href("tasks", row.id)} tabIndex="-1" title=${row.title}>${row.title}</a>` },
    { name: "cause", label: _("Cause"), width: "minmax(8rem, 1fr)", from: 900, card: "plain", cell: (row) => html`<span class="cause">${because(row.dead_letter)}</span>` },
    { name: "error", label: _("Error"), width: "minmax(10rem, 3fr)", card: "line", cell: (row) => html`<span class="mono" title=${row.error}>${errorOf(row)}</span>` },
    { name: "channel", label: _("Channel"), width: "minmax(7rem, 1fr)", from: 1000, cell: (row) => state.channels.get(row.channel_id)?.name ?? "…" },
    { name: "agent", label: _("Agent"), width: "minmax(8rem, 1fr)", from: 1240, cell: (row) => row.assigned_agent_id ?? "–" },
    { name: "attempts", label: _("Attempts"), width: "6rem", from: 1440, num: true, cell: (row) => `${number(row.attempts ?? 0)} / ${number(row.max_attempts)}` },
    { name: "ended", label: _("Ended"), width: "7rem", card: "line", cell: (row) => html`<${Ago} at=${row.finished_at} />` },
  ];
}

function OfGroup({ values, back }) {
  const group = values.group === ALL ? "" : values.group;
  const key = JSON.stringify(values);
  const chosen = useChosen(key);
  const ofGroup = (values) => ({ ...asked(values), group });
  const list = useRows({
    kind: "tasks", keeps: ["error"], key, fits: (row) => row.status === "failed", reread: tasksAgain,
    read: async (after) => {
      const data = await get(query(`${PATH}/rows`, { ...ofGroup(values), after, limit: PAGE }));
      return { rows: data.tasks, next: data.next };
    },
  });
  const [first] = list.rows;
  return html`<p class="t-note row"><button type="button" onClick=${back}>← ${_("All groups")}</button>
      ${first && group && html`<span class="cause">${because(first.dead_letter)}</span> <span class="mono cut">${errorOf(first)}</span>`}</p>
    <${Bulk} kind="tasks" chosen=${chosen} list=${list} alike=${(row) => row.status}
      every=${state.me.operate && list.rows.length > 0 && html`<${AllThatMatch} kind="tasks" path=${`${PATH}/ids`} of=${values} asked=${ofGroup} row=${DEAD_LETTER} />`} />
    <${Table} label=${_("Dead letters")} kind="tasks" columns=${letterColumns()} list=${list} chosen=${state.me.operate ? chosen : null} title=${(row) => row.title}
      open=${(row) => go(href("tasks", row.id))} empty=${_("No dead letters.")} />`;
}

export function Letters() {
  const [values, set] = useValues(USUAL);
  const fields = [
    { name: "reason", label: _("Cause"), kind: "choice", options: Object.entries(given.causes) },
    { name: "channel", label: _("Channel"), kind: "choice", options: channels() },
    { name: "age", label: _("Ended"), kind: "age" },
  ];
  useEffect(() => scrollTo(0, 0), [values.group]);
  const group = values.group;
  return html`<section class="panel" aria-labelledby="letters">
    <header><h1 id="letters">${_("Dead letters")}</h1>
      ${!group && html`<button type="button" onClick=${() => set({ group: ALL })}>${_("Without groups")}</button>`}
      <${Views} of="dead-letters" values=${values} usual=${USUAL} set=${set} /></header>
    <${Filters} label=${_("Filters of the dead letters")} fields=${fields} values=${values} set=${set} />
    ${group ? html`<${OfGroup} key=${group} values=${values} back=${() => set({ group: "" })} />`
      : html`<${Groups} ...${{ values, set }} />
        ${state.me.operate && version() > 0 && html`<div class="t-bulk"><${AllThatMatch} kind="tasks" path=${`${PATH}/ids`} of=${values} asked=${asked} row=${DEAD_LETTER} /></div>`}`}
  </section>`;
}
