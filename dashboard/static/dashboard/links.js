// Links to things: whatever is named anywhere leads to its page.

import { short } from "./format.js";
import { _, say } from "./i18n.js";
import { html } from "./preact.js";
import { href } from "./route.js";
import { state } from "./store.js";

const link = (path, { id, name, children, class: kind, ...more }) =>
  html`<a class=${kind} href=${href(path, id)} title=${id} ...${more}>${children ?? (name || short(id))}</a>`;

export const TaskLink = (props) => link("tasks", props);

export const ChainLink = (props) => link("chains", props);

export const AgentLink = (props) =>
  link("agents", { ...props, name: props.name || state.agents.get(props.id)?.name || props.id });

export const ChannelLink = (props) =>
  link("board", { ...props, name: props.name || state.channels.get(props.id)?.name });

/** A job by either of its ids. */
export const jobOf = (id) =>
  state.jobs.get(id) ?? [...state.jobs.values()].find((row) => row.uuid === id);

/** What a job is called; sweeps seldom have a name. */
export const nameOf = (job) =>
  job.name || say(job.kind === "command" ? _("Command %(id)s") : _("Sweep %(id)s"), { id: short(job.id) });

export const JobLink = (props) => {
  const row = jobOf(props.id);
  return link("jobs", { ...props, id: row?.id ?? props.id, name: props.name || (row && nameOf(row)) });
};
