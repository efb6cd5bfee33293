// An agent works in the channels that it serves; a person may add one on the way.

import { post, Refusal } from "./api.js";
import { show } from "./dialog.js";
import { _, say } from "./i18n.js";
import { html, useEffect } from "./preact.js";
import { state } from "./store.js";

/** Do it; where the agent lacks the channel, ask whether to add it for this reason, and try again. */
export async function subscribed(agentId, channelId, reason, action) {
  try {
    return await action();
  } catch (refusal) {
    if (refusal.code !== "agent_not_subscribed_channel") throw refusal;
    const { name } = state.channels.get(channelId) ?? { name: channelId };
    if (!(await agreed(agentId, name))) throw refusal;
    const values = { channel: channelId };
    const { refused: [why] } = await post("/console/agents/subscribe", { ids: [agentId], reason, values });
    if (why) throw new Refusal(409, why.code, why.message);
    return action();
  }
}

const agreed = (agentId, name) =>
  new Promise((answer) => {
    show(_("Add the subscription?"), (close) => html`<${Agree} ...${{ agentId, name, answer, close }} />`);
  });

function Agree({ agentId, name, answer, close }) {
  useEffect(() => () => answer(false), []); // closed without a choice
  const agree = () => {
    answer(true);
    close();
  };
  return html`<div class="body">
    <p>${say(_("%(agent)s does not serve channel %(name)s. Add it to what the agent serves, and try again?"), { agent: agentId, name })}</p>
    <footer>
      <button type="button" onClick=${close}>${_("Cancel")}</button>
      <button type="button" class="primary" onClick=${agree}>${_("Add and try again")}</button>
    </footer>
  </div>`;
}
