// The few pictures that the page has.

import { html } from "./preact.js";

const paths = {
  overview: "M4 13h6V4H4zM14 20h6V11h-6zM14 4v4h6V4zM4 20h6v-4H4z",
  board: "M4 5h4v14H4zM10 5h4v9h-4zM16 5h4v6h-4z",
  tasks: "M9 6h11M9 12h11M9 18h11M4 6l1 1 2-2M4 12l1 1 2-2M4 18l1 1 2-2",
  agents: "M7 8h10v9H7zM12 8V4M9.5 12h.01M14.5 12h.01M4 11v3M20 11v3",
  find: "M11 4a7 7 0 1 0 0 14a7 7 0 0 0 0-14zM16 16l4 4",
  copy: "M9 9h10v11H9zM5 15V4h10",
  more: "M5 12h.01M12 12h.01M19 12h.01",
};

export const Icon = ({ name, size = 22 }) => html`<svg class="icon" viewBox="0 0 24 24" width=${size} height=${size} aria-hidden="true"
  fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"><path d=${paths[name] ?? paths.more} /></svg>`;
