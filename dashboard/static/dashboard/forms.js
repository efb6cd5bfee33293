// New things, and what people do to a task by the agents' own API.

import { post } from "./api.js";
import { ask } from "./dialog.js";
import { _, say } from "./i18n.js";
import { html } from "./preact.js";
import { Act, announce } from "./parts.js";
import { state } from "./store.js";
import { agentOptions } from "./verbs.js";

const channels = () => [...state.channels.values()].map((row) => [row.id, row.name]);
const name = () => ({ name: "name", label: _("Name"), required: true });
const description = () => ({ name: "description", label: _("Description"), kind: "area" });
const agent = () => ({
  name: "agent_id", label: _("Agent"), required: true, kind: "suggest", options: agentOptions(),
});

const channel = (value) => ({
  name: "channel_id", label: _("Channel"), required: true, kind: "select", options: channels(),
  value: value ?? channels()[0]?.[0],
});

export const newChannel = (then) =>
  ask(_("New channel"), {
    button: _("Create channel"),
    fields: [name(), description()],
    async submit(values) {
      const made = await post("/v1/channels", values);
      state.channels.set(made.channel.id, { counts: {}, ...made.channel });
      then?.(made.channel.id);
      return say(_("Channel %(name)s is there."), values);
    },
  });

export const newChain = (channelId) =>
  ask(_("New chain"), {
    button: _("Create chain"),
    fields: [
      channel(channelId), name(), description(),
      {
        name: "on_failure", label: _("When a task fails"), kind: "select", value: "continue",
        options: [["continue", _("go on with the next")], ["stop", _("stop until it is requeued")]],
      },
    ],
    async submit(values) {
      await post("/v1/chains", values);
      return say(_("Chain %(name)s is there."), values);
    },
  });

/** A new task in this chain, or in this channel. */
export const newTask = (channelId, chain) =>
  ask(chain ? say(_("New task in %(name)s"), chain) : _("New task"), {
    button: _("Create task"),
    fields: [
      ...(chain ? [] : [channel(channelId)]),
      { name: "title", label: _("Title"), required: true },
      description(),
      { name: "priority", label: _("Priority"), kind: "number", value: 0, hint: _("Higher runs first.") },
      {
        name: "execution_mode", label: _("Execution mode"), kind: "select", value: "",
        options: [["", "–"], ...["accept-edits", "plan-mode", "bypass-permission"].map((mode) => [mode, mode])],
      },
    ],
    async submit(values) {
      const place = chain ? { channel_id: chain.channel_id, chain_id: chain.id } : {};
      await post("/v1/tasks", { ...values, ...place, priority: Number(values.priority || 0) });
      return say(_("Task “%(title)s” waits."), values);
    },
  });

export const requestSession = (row) =>
  ask(say(_("Ask for a session in %(name)s"), row), {
    button: _("Ask"),
    fields: [],
    note: html`<p>${_("An agent of this channel is asked to open a new working session.")}</p>`,
    async submit() {
      await post("/v1/agents/request-session", { channel_name: row.name });
      return _("Asked.");
    },
  });

export const claimFor = (row) =>
  ask(say(_("Claim from %(name)s"), row), {
    button: _("Claim"),
    fields: [agent()],
    note: html`<p class="hint">${_("The agent gets the first task in the queue that it may have.")}</p>`,
    async submit({ agent_id }) {
      const { tasks } = await post("/v1/tasks/claim", { agent_id, channel_id: row.id, max_tasks: 1 });
      if (!tasks.length) throw new Error(_("No task of this channel is ready for that agent."));
      return say(_("“%(title)s” is now with %(agent)s."), { title: tasks[0].title, agent: agent_id });
    },
  });

export const complete = (task) =>
  ask(say(_("Complete “%(title)s”"), task), {
    button: _("Complete"),
    fields: [{ name: "result", label: _("Result"), kind: "area", hint: _("Text or JSON; may stay empty.") }],
    async submit({ result }) {
      await post("/v1/tasks/complete", { task_id: task.id, ...(result ? { result: parsed(result) } : {}) });
      return say(_("“%(title)s” is done."), task);
    },
  });

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export const fail = (task) =>
  ask(say(_("Fail “%(title)s”"), task), {
    button: _("Fail"),
    fields: [
      { name: "reason", label: _("Reason"), required: true },
      { name: "retriable", label: _("It may be tried again"), kind: "check" },
    ],
    async submit(values) {
      await post("/v1/tasks/fail", { task_id: task.id, ...values });
      return say(_("“%(title)s” has failed."), task);
    },
  });

export const sendInput = (task) =>
  ask(say(_("Send input to %(agent)s"), { agent: task.assigned_agent_id }), {
    button: _("Send"),
    fields: [
      {
        name: "kind", label: _("What"), kind: "select", value: "text",
        options: [["text", _("text")], ["keys", _("keys, one name a line")]],
      },
      { name: "text", label: _("Input"), kind: "area" },
      { name: "send_enter", label: _("Press Enter after it"), kind: "check", value: true },
    ],
    async submit(values) {
      const agent_id = task.assigned_agent_id;
      await post("/v1/tasks/inputs", { task_id: task.id, agent_id, ...values });
      return _("Sent.");
    },
  });

export const Dismiss = ({ note, then }) => html`<${Act} kind="quiet"
  label=${say(_("Dismiss the notification of %(agent)s"), { agent: note.agent_name })}
  does=${async () => {
    try {
      await post("/v1/notifications/dismiss", { agent_id: note.agent_id, type: note.type });
      await then();
    } catch (refusal) {
      announce(refusal.message);
    }
  }}>${_("Dismiss")}<//>`;

