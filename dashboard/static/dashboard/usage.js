// What calls of language models used: day by day, and by provider, model, agent or channel.

import { get, query } from "./api.js";
import { number } from "./format.js";
import { language, _, say } from "./i18n.js";
import { AgentLink, ChannelLink } from "./links.js";
import { Empty } from "./parts.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { useValues } from "./route.js";
import { state } from "./store.js";

const WIDTH = 640;
const HEIGHT = 220;
const TOP = 24;
const BOTTOM = 24;
const LONG = 10_000;
const AGAIN_AFTER = 60_000;
const DAYS = [7, 30, 90, 365];

const dollars = new Intl.NumberFormat(language(), {
  style: "currency", currency: "USD", maximumFractionDigits: 2,
});
const cents = new Intl.NumberFormat(language(), {
  style: "currency", currency: "USD", maximumSignificantDigits: 3,
});
const usd = (value) => (value !== 0 && Math.abs(value) < 1 ? cents : dollars).format(value);
const short = new Intl.NumberFormat(language(), { notation: "compact", maximumSignificantDigits: 3 });
const dates = new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeZone: "UTC" });
const date = (day) => dates.format(new Date(`${day}T00:00:00Z`));

const groups = {
  __proto__: null,
  provider: () => _("Provider"),
  model: () => _("Model"),
  agent: () => _("Agent"),
  channel: () => _("Channel"),
};
const measures = {
  __proto__: null,
  cost_usd: { name: () => _("Cost"), shown: usd },
  tokens: { name: () => _("Tokens"), shown: number },
  calls: { name: () => _("Calls"), shown: number },
};
const amount = (row, measure) => (measure === "tokens" ? row.tokens_in + row.tokens_out : row[measure]);

export function Usage() {
  const [values, change] = useValues({ by: "provider", days: "30", measure: "cost_usd" });
  const { by, days } = values;
  const measure = measures[values.measure] ? values.measure : "cost_usd";
  const [data, setData] = useState(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let wanted = true;
    const read = () => get(query("/console/usage", { by, days })).then(
      (found) => {
        if (!wanted) return;
        setData(found);
        setProblem("");
      },
      (refusal) => wanted && setProblem(refusal.message),
    );
    read();
    const timer = setInterval(read, AGAIN_AFTER);
    return () => {
      wanted = false;
      clearInterval(timer);
    };
  }, [by, days]);
  return html`<section class="panel" aria-labelledby="usage">
    <header><h1 id="usage">${_("Usage of language models")}</h1></header>
    <div class="row padded">
      <${Choice} id="usage-by" label=${_("By")} value=${by} set=${(value) => change({ by: value })}
        options=${Object.keys(groups).map((name) => [name, groups[name]()])} />
      <${Choice} id="usage-days" label=${_("Days")} value=${days} set=${(value) => change({ days: value })}
        options=${DAYS.map((count) => [String(count), number(count)])} />
      <${Choice} id="usage-measure" label=${_("Plot")} value=${measure} set=${(value) => change({ measure: value })}
        options=${Object.keys(measures).map((name) => [name, measures[name].name()])} />
    </div>
    ${problem && html`<p class="empty">${problem}</p>`}
    ${!data && !problem && html`<${Empty}>${_("One moment…")}<//>`}
    ${data && data.rows.length === 0 && html`<${Empty}>${_("No calls in these days.")}<//>`}
    ${data && data.rows.length > 0 && html`<div class="padded"><${Days} days=${data.days} measure=${measure} /></div><${Rows} data=${data} />`}
  </section>`;
}

const Choice = ({ id, label, value, set, options }) => html`<span class="pair"><label for=${id}>${label}</label>
  <select id=${id} style=${{ width: "auto" }} value=${value} onChange=${(event) => set(event.target.value)}>
    ${options.map(([name, text]) => html`<option key=${name} value=${name} selected=${name === value}>${text}</option>`)}
  </select></span>`;

/** How wide an element is, in pixels: what is drawn in it is not scaled, and neither is its text. */
function useWidth() {
  const [width, setWidth] = useState(WIDTH);
  const element = useRef(null);
  useEffect(() => {
    const seen = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width) || WIDTH));
    seen.observe(element.current);
    return () => seen.disconnect();
  }, []);
  return [element, width];
}

/** A bar for each day, with the highest one named. */
function Days({ days, measure }) {
  const { name, shown } = measures[measure];
  const [element, width] = useWidth();
  const values = days.map((day) => amount(day, measure));
  const most = Math.max(...values);
  const total = values.reduce((sum, value) => sum + value, 0);
  const step = width / days.length;
  const high = (value) => (most ? ((HEIGHT - BOTTOM - TOP) * value) / most : 0);
  const label = say(_("%(measure)s: %(total)s in %(days)s days, at most %(most)s on a day"), {
    measure: name(), total: shown(total), days: number(days.length), most: shown(most),
  });
  const ground = HEIGHT - BOTTOM;
  return html`<div ref=${element}><svg class="plot days" viewBox="0 0 ${width} ${HEIGHT}" height=${HEIGHT} role="img" aria-label=${label}>
    ${[TOP, ground].map((y) => html`<line key=${y} x1="0" x2=${width} y1=${y} y2=${y} />`)}
    <text x="0" y=${TOP - 8}>${shown(most)}</text>
    ${days.map((day, place) => html`<rect key=${day.day} data-day=${day.day} x=${(place * step).toFixed(2)}
      y=${(ground - high(values[place])).toFixed(2)} width=${Math.max(step - 1, 0.5).toFixed(2)}
      height=${high(values[place]).toFixed(2)}><title>${date(day.day)}: ${shown(values[place])}</title></rect>`)}
    <text x="0" y=${HEIGHT - 6}>${date(days[0].day)}</text>
    <text x=${width} y=${HEIGHT - 6} text-anchor="end">${date(days.at(-1).day)}</text>
  </svg></div>
  <p class="soft small">${label}</p>`;
}

/** What a row is of; agents and channels have pages. */
function named(by, name) {
  if (!name) return "–";
  if (by === "agent") return html`<${AgentLink} id=${name} name=${name} />`;
  const channel = by === "channel" && [...state.channels.values()].find((row) => row.name === name);
  return channel ? html`<${ChannelLink} id=${channel.id} name=${name} />` : name;
}

/** A number that is cut short where the window is narrow. */
const Amount = ({ value }) => (value < LONG ? number(value) : html`<span class="in-full">${number(value)}</span><span
  class="in-short" title=${number(value)}>${short.format(value)}</span>`);

const Rows = ({ data }) => html`<table>
  <thead><tr><th scope="col">${groups[data.by]()}</th><th scope="col" class="num">${_("Calls")}</th>
    <th scope="col" class="num">${_("Tokens in")}</th><th scope="col" class="num">${_("Tokens out")}</th>
    <th scope="col" class="num">${_("Cost")}</th></tr></thead>
  <tbody>${data.rows.map((row) => html`<tr key=${row.name}><td>${named(data.by, row.name)}</td>
    ${[row.calls, row.tokens_in, row.tokens_out].map((value, at) => html`<td key=${at} class="num"><${Amount} value=${value} /></td>`)}
    <td class="num">${usd(row.cost_usd)}</td></tr>`)}</tbody>
</table>
${data.more && html`<p class="soft small">${_("Only the dearest are shown.")}</p>`}`;
