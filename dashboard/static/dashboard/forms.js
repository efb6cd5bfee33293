// New things, and what has a place of its own on a page: verbs, each by its name.

import { post } from "./api.js";
import { _, say } from "./i18n.js";
import { html } from "./preact.js";
import { Act, announce } from "./parts.js";
import { state } from "./store.js";
import { begin, verbNamed } from "./verbs.js";

function use(kind, name, row, then) {
  const verb = verbNamed(kind, name);
  if (verb) begin(kind, verb, row ? [row.id] : [], row?.title ?? row?.name, row, then);
}

export const newChannel = (then) =>
  use("channels", "new_channel", null, ({ made: [id] }, { name }) => {
    if (!state.channels.has(id)) state.channels.set(id, { id, name, counts: {} });
    then?.(id);
  });

export const newChain = (channelId) => use("channels", "new_chain", state.channels.get(channelId));

/** A new task in this chain, or in this channel. */
export const newTask = (channelId, chain) =>
  chain ? use("chains", "new_task", chain) : use("channels", "new_task", state.channels.get(channelId));

export const requestSession = (channel) => use("channels", "request_session", channel);
export const claimFor = (channel) => use("channels", "claim_for", channel);

export const Dismiss = ({ note, then }) => html`<${Act} kind="quiet"
  label=${say(_("Dismiss the notification of %(agent)s"), { agent: note.agent_name })}
  does=${async () => {
    try {
      await post("/console/agents/dismiss", { ids: [note.agent_id] });
      await then();
    } catch (refusal) {
      announce(refusal.message);
    }
  }}>${_("Dismiss")}<//>`;
