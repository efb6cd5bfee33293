// The first run: three lines to copy, which tick themselves off; and the lines that connect agents.

import { show } from "./dialog.js";
import { _, say } from "./i18n.js";
import { announce, copy } from "./parts.js";
import { html, useEffect, useState } from "./preact.js";
import { state } from "./store.js";

const CHANNEL = "first";
const DISMISSED = "coordinator-first-run";
const TICKED_FOR = 5_000; // milliseconds until steps that are all done go

/** A text as one word of a shell. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Everybody but those on the machine itself, while it is protected, needs a token. */
const needsToken = () => state.me.kind !== "local";
const sends = () => `curl -sS ${needsToken() ? '-H "Authorization: Bearer $COORDINATOR_TOKEN" ' : ""}`;
const url = (path) => quoted(location.origin + path);

/** An agent in one line: it claims, waits while there is nothing, and completes what it gets. */
export function agentLine(channel) {
  const claim = `${sends()}${url("/v1/tasks/claim?wait_seconds=20")} -d ${quoted(JSON.stringify({ agent_id: "agent-1", channel }))}`;
  const report = `"{\\"task_id\\": \\"$TASK\\", \\"agent_id\\": \\"agent-1\\"}"`;
  return [
    `${sends()}${url("/v1/channels")} -d ${quoted(JSON.stringify({ name: channel }))}; while sleep 1;`,
    `do TASK=$(${claim} | sed -n 's/.*"task":{"id":"\\([^"]*\\)".*/\\1/p');`,
    `[ -z "$TASK" ] || ${sends()}${url("/v1/tasks/complete")} -d ${report}; done`,
  ].join(" ");
}

const taskLine = () =>
  `${sends()}${url("/v1/tasks")} -d ${quoted(JSON.stringify({ channel: CHANNEL, title: "my first task" }))}`;
const watchLine = () => `${sends()}-N ${url("/v1/stream")}`;

const count = (counts) => Object.values(counts).reduce((sum, number) => sum + number, 0);
const connected = () => state.counters.agents_total > 0;
const given = () => count(state.counters.tasks) > 0;
const watched = () => (state.counters.tasks.done ?? 0) > 0;

function kept() {
  try {
    return Boolean(localStorage.getItem(DISMISSED));
  } catch {
    return false; // a browser that keeps nothing
  }
}

function keep() {
  try {
    localStorage.setItem(DISMISSED, "1");
  } catch {
    // Then it is gone until the page is read again.
  }
}

/** Whether a coordinator has not yet seen a task done, and nobody has dismissed the steps. */
export function useFirstRun() {
  const [gone, setGone] = useState(() => kept() || watched());
  const done = connected() && given() && watched();
  useEffect(() => {
    if (!done || gone) return undefined;
    const timer = setTimeout(() => {
      announce(_("The first task is done."));
      setGone(true);
    }, TICKED_FOR);
    return () => clearTimeout(timer);
  }, [done, gone]);
  const dismiss = () => {
    keep();
    setGone(true);
  };
  return { greets: !gone, dismiss };
}

export function FirstRun({ dismiss }) {
  return html`<section class="panel first-run" aria-labelledby="first-run">
    <header><h2 id="first-run">${_("Welcome. Three lines show how this works.")}</h2>
      <button type="button" class="quiet" onClick=${dismiss}>${_("Dismiss")}</button></header>
    <div class="body">
      <${Token} />
      <ol class="first-steps">
        <${Step} name="connect" done=${connected()} title=${_("Connect an agent")} line=${agentLine(CHANNEL)}
          says=${_("In a terminal that stays open. This agent claims tasks of the channel “first” and completes them.")} />
        <${Step} name="give" done=${given()} title=${_("Give it a task")} line=${taskLine()}
          says=${_("In another terminal.")} />
        <${Step} name="watch" done=${watched()} title=${_("Watch it")} line=${watchLine()}
          says=${_("This page shows what happens, and so does this line.")} />
      </ol>
    </div>
  </section>`;
}

const Token = () => needsToken() && html`<div class="small">
  ${_("The lines need a token, which is shown once when it is made. Paste it into each terminal after this line:")}
  ${" "}<a href="/admin/accounts/apitoken/add/">${_("Make a token")}</a>
  <${Line} name=${_("Token")} text="read -rs COORDINATOR_TOKEN && export COORDINATOR_TOKEN" /></div>`;

const Step = ({ name, done, title, says, line }) => html`<li class="first-step ${done ? "done" : ""}" data-step=${name}>
  <h3><span class="tick" aria-hidden="true">${done ? "✓" : ""}</span>${title}
    <span class="sr">${done ? _("done") : ""}</span></h3>
  <p class="soft small">${says}</p>
  <${Line} name=${title} text=${line} />
</li>`;

/** A line to copy. */
const Line = ({ name, text }) => html`<span class="copied"><code tabindex="0">${text}</code>
  <button type="button" aria-label=${say(_("Copy: %(name)s"), { name })} onClick=${() => copy(text)}>${_("Copy")}</button></span>`;

const SWEEPS = "sweeps"; // the channel of SPOTs

/** The client as an agent of a channel. It runs nothing until somebody has said what does a task. */
const clientLine = (channel) =>
  `COORDINATOR_URL=${quoted(location.origin)} coordinator agent run --queue ${quoted(channel)} --exec "\${COMMAND:?}"`;

const spotLine = () =>
  `python3 examples/optimizer_worker.py --url ${quoted(location.origin)} --spot-id spot-1${needsToken() ? ' --key "$COORDINATOR_TOKEN"' : ""}`;

/** Show the line that connects an agent to a channel, whose tasks somebody waits for. */
export const connectAgent = (channel) =>
  show(say(_("Connect an agent to %(name)s"), { name: channel }), (close) => html`<div class="body first-run">
    ${channel === SWEEPS ? html`<p>${_("Tasks of sweeps are done by SPOTs, programs of yours with a protocol of their own. This one comes with the coordinator; it wants the token of an agent where one is needed.")}</p>`
      : html`<p>${_("An agent claims tasks of the channel, does them, and reports. This line runs a command for each task: the payload is its input, the last line of its output the result. Say first which: COMMAND=…")}</p>
        <p class="soft small">${_("The client is installed by “pip install ./client” in the folder of the coordinator. Without --exec it runs the commands of jobs.")}</p>`}
    <${Token} />
    <${Line} name=${_("Connect an agent")} text=${channel === SWEEPS ? spotLine() : clientLine(channel)} />
    <footer><button type="button" class="primary" onClick=${close}>${_("Close")}</button></footer>
  </div>`);
