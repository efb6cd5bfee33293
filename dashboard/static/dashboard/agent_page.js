// The page of an agent: whether it is there, what it holds, what it did, what failed.

import { get, query } from "./api.js";
import { moment, number, since } from "./format.js";
import { _, ngettext, say } from "./i18n.js";
import { ChainLink, ChannelLink, TaskLink } from "./links.js";
import { Ago, Empty, Status, useStore, useThing } from "./parts.js";
import { html } from "./preact.js";
import { href } from "./route.js";
import { state } from "./store.js";
import { Facts, Head, Missing, Part, ThingVerbs, useOpen } from "./thing.js";
import { Events } from "./timeline.js";
import { presence } from "./verbs.js";

const READ_AGAIN_AFTER = 1_500; // a busy agent changes often; what it holds follows at once

async function read(id) {
  const [work, events] = await Promise.all([
    get(`/console/agents/${encodeURIComponent(id)}/work`),
    get(query("/v1/events", { agent_id: id, limit: 50 })).then((answer) => answer.events, () => []),
  ]);
  return { ...work, events };
}

const tone = (row) => (row.draining ? "locked" : row.presence === "lost" ? "failed" : row.presence);

/** In a sentence, what it does or why it does nothing. */
function saying(row) {
  if (row.presence === "lost") return say(_("It has been silent for %(time)s and counts as lost: what it held is given to others, or waits for a person."), { time: since(row.last_seen_at) });
  if (row.presence === "offline") return say(_("It was last heard of %(time)s ago."), { time: since(row.last_seen_at) });
  if (row.draining) return _("It finishes what it has, and gets no more until it is resumed.");
  if (row.state === "setup_waiting") return _("It waits for a person to finish its set-up.");
  return row.held ? "" : _("It is online and waits for work.");
}

export function AgentPage({ id }) {
  useStore();
  const { known, refusal } = useThing(id, read, READ_AGAIN_AFTER);
  const row = state.agents.get(id) ?? known?.agent;
  const title = row && (row.name || row.id);
  useOpen("agents", refusal ? null : row, title);
  if (!known || refusal) return html`<${Missing} kind="agents" refusal=${refusal} />`;
  const tried = known.done + known.failed;
  const held = row.tasks ?? [];
  return html`<article class="thing" data-open-agent=${id}>
    <${Head} trail=${[html`<a href="#/agents">${_("Agents")}</a>`]} title=${title} id=${row.id}
      verbs=${html`<${ThingVerbs} kind="agents" row=${row} title=${title} />`}>
      <span class="status ${tone(row)}">${presence(row)}</span>
      <span class="soft small">${_("seen")} <${Ago} at=${row.last_seen_at} /></span>
    <//>
    ${saying(row) && html`<p class=${row.presence === "lost" ? "alarm" : row.presence === "online" && !row.draining ? "note" : "warn"}>${saying(row)}</p>`}
    <dl class="counters">
      <div><dt>${_("Tasks that it holds")}</dt><dd>${number(row.held)}${row.capacity ? html`<span class="soft small"> / ${number(row.capacity)}</span>` : ""}</dd></div>
      <div title=${_("Of its latest attempts, as far back as its latest 1,000 events")}><dt>${_("Success rate")}</dt>
        <dd>${tried ? `${number(Math.round((100 * known.done) / tried))} %` : "–"}</dd></div>
      <div><dt>${_("Done")}</dt><dd>${number(known.done)}</dd></div>
      <div class=${known.failed ? "bad" : ""}><dt>${_("Failed")}</dt><dd>${number(known.failed)}</dd></div>
    </dl>
    <div class="thing-body">
      <div class="thing-main">
        <${Part} id="holds" title=${_("What it holds")} aside=${row.held > held.length && html`<a href=${href("tasks", [], { agent: row.id, status: "in_progress" })}>${say(ngettext("All %(n)s task", "All %(n)s tasks", row.held), { n: number(row.held) })}</a>`}>
          ${!held.length && !row.chain && html`<${Empty}>${_("Nothing at the moment.")}<//>`}
          <ul class="list">
            ${row.chain && html`<li><span class="tag">${_("Chain")}</span> <${ChainLink} class="name" id=${row.chain.id} name=${row.chain.name} /></li>`}
            ${held.map((task) => html`<li key=${task.id}><${TaskLink} class="name grow" id=${task.id} name=${task.title} />
              <${ChannelLink} class="small" id=${task.channel_id} /></li>`)}
          </ul>
        <//>
        ${known.last_failure && html`<${LastFailure} failure=${known.last_failure} />`}
        <${Part} id="did" title=${_("What it did last")}>
          ${!known.tasks.length && html`<${Empty}>${_("No task has ended with it yet.")}<//>`}
          <ul class="list">${known.tasks.map((task) => html`<li key=${task.id}>
            <${TaskLink} class="name grow" id=${task.id} name=${task.title} /><${Status} status=${task.status} />
            <span class="soft small"><${Ago} at=${task.finished_at ?? task.updated_at} /></span></li>`)}</ul>
        <//>
      </div>
      <div class="thing-side">
        <${Part} id="facts" title=${_("Details")}><${Facts} rows=${[
          [_("Channels"), row.subscriptions.length ? html`<span class="row">${row.subscriptions.map((name) => html`<${Served} key=${name} name=${name} />`)}</span>` : _("all")],
          [_("Version"), known.version],
          [_("Protocol"), row.protocol && html`<code>${row.protocol}</code>`],
          [_("Capacity"), row.capacity && number(row.capacity)],
          [_("First seen"), moment(known.first_seen_at)],
          [_("Last seen"), moment(row.last_seen_at)],
        ]} /><//>
        <${Part} id="agent-timeline" title=${_("Timeline")} aside=${html`<a href=${href("timeline", [], { agent_id: row.id })}>${_("All")}</a>`}>
          <${Events} rows=${known.events} about="agent_id" /><//>
      </div>
    </div>
  </article>`;
}

/** A channel by its name, which an agent may spell in its own way. */
function Served({ name }) {
  const channel = [...state.channels.values()].find((row) => row.name.toLowerCase() === name.toLowerCase());
  return channel ? html`<${ChannelLink} class="tag" id=${channel.id} name=${channel.name} />` : html`<span class="tag">${name}</span>`;
}

const LastFailure = ({ failure }) => html`<${Part} id="last-failure" title=${_("Its last failure")}>
  <div class="body">
    <p class="row"><${TaskLink} class="name" id=${failure.task_id} name=${failure.title} /><span class="soft small"><${Ago} at=${failure.at} /></span></p>
    ${failure.reason && html`<pre class="error" tabindex="0">${failure.reason}</pre>`}
  </div><//>`;
