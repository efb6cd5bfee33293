// The page of a chain: its tasks as steps, what locks it and what helps, its owner.

import { get, query } from "./api.js";
import { moment, number } from "./format.js";
import { _, say } from "./i18n.js";
import { AgentLink, ChannelLink, TaskLink } from "./links.js";
import { Act, Ago, Bar, Empty, Status, useStore, useThing } from "./parts.js";
import { html, useRef } from "./preact.js";
import { href } from "./route.js";
import { state } from "./store.js";
import { Facts, Head, Missing, Part, ThingVerbs, useOpen, Why } from "./thing.js";
import { Events } from "./timeline.js";
import { begin, presence, verbsFor } from "./verbs.js";

const STEPS = 500;

/** The chain with so many pages of its tasks. */
async function read(id, pages) {
  // An id that none can have is refused there as that of a chain that is gone.
  const { chain: details } = await get(`/v1/chains/${encodeURIComponent(id)}`);
  const path = `/console/chains/${details.id}`;
  const [{ chain }, events] = await Promise.all([
    get(path),
    get(query("/v1/events", { chain_id: id, limit: 50 })).then((answer) => answer.events, () => []),
  ]);
  const tasks = [];
  let next;
  for (let page = 0; page < pages; page += 1) {
    const data = await get(query(`${path}/tasks`, { after: next, limit: STEPS }));
    tasks.push(...data.tasks);
    next = data.next;
    if (!next) break;
  }
  const first = (status) => tasks.find((task) => task.status === status);
  const waits = first("locked") ?? (first("in_progress") ? undefined : first("queued"));
  const why = waits
    ? await get(`/v1/tasks/${waits.id}/why`).then((answer) => answer.why, () => []) : [];
  return { chain, description: details.description, tasks, next, events, why, waits };
}

export function ChainPage({ id }) {
  useStore();
  const pages = useRef(1);
  const { known, refusal, again } = useThing(id, (asked) => read(asked, pages.current));
  useOpen("chains", known?.chain, known?.chain.name);
  if (!known) return html`<${Missing} kind="chains" refusal=${refusal} />`;
  const { chain, description, tasks, next, events, why, waits } = known;
  const ended = ["done", "failed", "cancelled"].reduce((sum, name) => sum + (chain.counts[name] ?? 0), 0);
  const owner = chain.owner && state.agents.get(chain.owner);
  const more = async () => {
    pages.current += 1;
    again();
  };
  return html`<article class="thing" data-open-chain=${id}>
    <${Head} trail=${[html`<${ChannelLink} id=${chain.channel_id} />`]} title=${chain.name} id=${chain.id}
      verbs=${html`<${ThingVerbs} kind="chains" row=${chain} title=${chain.name} />`}>
      <${Status} status=${chain.status} />
      ${chain.locked?.length > 0 && html`<span class="count bad">${say(_("%(n)s locked"), { n: number(chain.locked.length) })}</span>`}
      <${Bar} counts=${chain.counts} total=${chain.total} />
      <span class="soft small">${number(ended)} / ${number(chain.total)}</span>
    <//>
    <div class="thing-body">
      <div class="thing-main">
        ${why.length > 0 && html`<${Why} rows=${why} title=${waits.title}
          label=${say(_("Why does “%(title)s” not run?"), waits)} />`}
        ${description && html`<${Part} id="description" title=${_("Description")}><pre class="text" tabindex="0">${description}</pre><//>`}
        <${Part} id="steps" title=${_("Tasks")}>
          ${tasks.length === 0 && html`<${Empty}>${_("No tasks yet.")}<//>`}
          <ol class="stepper">${tasks.map((task) => html`<${Step} key=${task.id} task=${task} />`)}</ol>
          ${next && html`<p class="empty"><${Act} does=${more}>${_("More tasks")}<//></p>`}
        <//>
      </div>
      <div class="thing-side">
        <${Part} id="facts" title=${_("Details")}><${Facts} rows=${[
          [_("Channel"), html`<${ChannelLink} id=${chain.channel_id} />`],
          [_("Owner"), chain.owner ? html`<${AgentLink} id=${chain.owner} /> ${owner && html`<span class="status ${owner.presence === "lost" ? "failed" : owner.presence}">${presence(owner)}</span>`}` : _("no owner")],
          [_("Last seen"), owner && html`<${Ago} at=${owner.last_seen_at} />`],
          [_("When a task fails"), chain.on_failure === "stop" ? _("stop until it is requeued") : _("go on with the next")],
          [_("Created"), moment(chain.created_at)],
          [_("Changed"), moment(chain.updated_at)],
        ]} /><//>
        <${Part} id="chain-timeline" title=${_("Timeline")} aside=${html`<a href=${href("timeline", [], { chain_id: chain.id })}>${_("All")}</a>`}>
          <${Events} rows=${events} about="chain_id" /><//>
      </div>
    </div>
  </article>`;
}

/** A task of the chain; a locked one has its remedies beside it. */
function Step({ task }) {
  const remedies = task.status === "locked" || task.status === "failed"
    ? verbsFor("tasks", task).filter((verb) => /^(unlock|requeue)/.test(verb.name)) : [];
  const at = task.finished_at ?? task.claimed_at;
  return html`<li class="step ${task.status}" data-task=${task.id} aria-current=${task.status === "in_progress" || task.status === "locked" ? "step" : undefined}>
    <span class="dot" aria-hidden="true"></span>
    <div class="grow">
      <p class="row"><${TaskLink} class="name" id=${task.id}>${number(task.sequence)}. ${task.title}<//>
        <${Status} status=${task.status} />
        ${task.assigned_agent_id && html`<${AgentLink} class="small" id=${task.assigned_agent_id} />`}
        ${at && html`<span class="soft small"><${Ago} at=${at} /></span>`}</p>
      ${task.status === "locked" && html`<p class="warn small">${_("It was interrupted. A person decides: put it back in the queue, or count it as done.")}</p>`}
      ${remedies.length > 0 && html`<p class="row">${remedies.map((verb) => html`<button type="button" key=${verb.name}
        aria-label=${`${verb.label}: ${task.title}`} onClick=${() => begin("tasks", verb, [task.id], task.title, task)}>${verb.label}</button>`)}</p>`}
    </div>
  </li>`;
}
