// Where one can go: a few pages at hand, the others under "More"; on a phone at the bottom.

import { number } from "./format.js";
import { _ } from "./i18n.js";
import { Icon } from "./icons.js";
import { Menu } from "./menu.js";
import { openPalette } from "./palette.js";
import { useStore } from "./parts.js";
import { html, useEffect, useState } from "./preact.js";

const PHONE = "(max-width: 760px)"; // as in pages.css
const AT_HAND = [[PHONE, 3], ["(max-width: 900px)", 3], ["(max-width: 1200px)", 4]];

/** How many pages are at hand in a window of this width, and whether that is a phone's. */
function useWidth() {
  const measure = () => AT_HAND.find(([query]) => matchMedia(query).matches) ?? ["", Infinity];
  const [[query, most], set] = useState(measure);
  useEffect(() => {
    const changed = () => set(measure());
    addEventListener("resize", changed);
    return () => removeEventListener("resize", changed);
  }, []);
  return { phone: query === PHONE, most };
}

/** `pages`: in their order; those that are not `rare` are at hand. `current`: the path of the present one. */
export function Nav({ pages, current }) {
  useStore();
  const { phone, most } = useWidth();
  const often = pages.filter((page) => !page.rare);
  const atHand = (phone ? often.filter((page) => page.icon) : often).slice(0, most);
  const rest = pages.filter((page) => !atHand.includes(page));
  const within = rest.some((page) => page.path === current);
  const waiting = rest.reduce((sum, page) => sum + (page.count?.() ?? 0), 0);
  return html`<ul>
    ${atHand.map((page) => html`<li key=${page.path}><${Place} page=${page} current=${current} phone=${phone} /></li>`)}
    ${phone && html`<li><button type="button" onClick=${openPalette}><${Icon} name="find" />${_("Find")}</button></li>`}
    <li><${Menu} kind=${within ? "here" : ""} title=${_("More pages")} face=${html`${phone && html`<${Icon} name="more" />`}${_("More")}${waiting > 0 && html`<span class="count bad">${number(waiting)}</span>`}`}>
      ${rest.map((page) => html`<${Place} key=${page.path} page=${page} current=${current} />`)}
    <//></li>
  </ul>`;
}

const Place = ({ page: { path, name, count, icon }, current, phone }) =>
  html`<a href="#/${path}" aria-current=${path === current ? "page" : undefined}>${phone && html`<${Icon} name=${icon} />`}${name()}${count?.() > 0 && html`<span class="count bad">${number(count())}</span>`}</a>`;
