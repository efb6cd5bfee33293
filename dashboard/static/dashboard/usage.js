// What calls of language models used: day by day, and by provider, model, agent or channel.

import { get, query } from "./api.js";
import { number } from "./format.js";
import { language, _, say } from "./i18n.js";
import { Empty } from "./parts.js";
import { html, useEffect, useState } from "./preact.js";

const WIDTH = 640;
const HEIGHT = 200;
const LEFT = 62;
const BOTTOM = 24;
const AGAIN_AFTER = 60_000;
const DAYS = [7, 30, 90, 365];

const dollars = new Intl.NumberFormat(language(), {
  style: "currency", currency: "USD", maximumFractionDigits: 2,
});
const cents = new Intl.NumberFormat(language(), {
  style: "currency", currency: "USD", maximumSignificantDigits: 3,
});
const usd = (value) => (value !== 0 && Math.abs(value) < 1 ? cents : dollars).format(value);
const dates = new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeZone: "UTC" });
const date = (day) => dates.format(new Date(`${day}T00:00:00Z`));

const groups = {
  provider: () => _("Provider"),
  model: () => _("Model"),
  agent: () => _("Agent"),
  channel: () => _("Channel"),
};
const measures = {
  cost_usd: { name: () => _("Cost"), shown: usd },
  tokens: { name: () => _("Tokens"), shown: number },
  calls: { name: () => _("Calls"), shown: number },
};
const amount = (row, measure) => (measure === "tokens" ? row.tokens_in + row.tokens_out : row[measure]);

export function Usage() {
  const [by, setBy] = useState("provider");
  const [days, setDays] = useState(30);
  const [measure, setMeasure] = useState("cost_usd");
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
      <${Choice} id="usage-by" label=${_("By")} value=${by} set=${setBy}
        options=${Object.keys(groups).map((name) => [name, groups[name]()])} />
      <${Choice} id="usage-days" label=${_("Days")} value=${days} set=${(value) => setDays(Number(value))}
        options=${DAYS.map((count) => [count, number(count)])} />
      <${Choice} id="usage-measure" label=${_("Plot")} value=${measure} set=${setMeasure}
        options=${Object.keys(measures).map((name) => [name, measures[name].name()])} />
    </div>
    ${problem && html`<p class="empty">${problem}</p>`}
    ${!data && !problem && html`<${Empty}>${_("One moment…")}<//>`}
    ${data && data.rows.length === 0 && html`<${Empty}>${_("No calls in these days.")}<//>`}
    ${data && data.rows.length > 0 && html`<div class="padded"><${Days} days=${data.days} measure=${measure} /></div><${Rows} data=${data} />`}
  </section>`;
}

const Choice = ({ id, label, value, set, options }) => html`<label for=${id}>${label}</label>
  <select id=${id} style=${{ width: "auto" }} value=${value} onChange=${(event) => set(event.target.value)}>
    ${options.map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}
  </select>`;

/** A bar for each day, with the highest one named. */
function Days({ days, measure }) {
  const { name, shown } = measures[measure];
  const values = days.map((day) => amount(day, measure));
  const most = Math.max(...values);
  const total = values.reduce((sum, value) => sum + value, 0);
  const step = (WIDTH - LEFT) / days.length;
  const high = (value) => (most ? ((HEIGHT - BOTTOM - 16) * value) / most : 0);
  const label = say(_("%(measure)s: %(total)s in %(days)s days, at most %(most)s on a day"), {
    measure: name(), total: shown(total), days: number(days.length), most: shown(most),
  });
  const ground = HEIGHT - BOTTOM;
  return html`<svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="xMinYMid" role="img" aria-label=${label}>
    <line x1=${LEFT} x2=${WIDTH} y1=${ground} y2=${ground} />
    <text x=${LEFT - 6} y="20" text-anchor="end">${shown(most)}</text>
    ${days.map((day, place) => html`<rect key=${day.day} data-day=${day.day} x=${(LEFT + place * step).toFixed(2)}
      y=${(ground - high(values[place])).toFixed(2)} width=${Math.max(step - 1, 0.5).toFixed(2)}
      height=${high(values[place]).toFixed(2)}><title>${date(day.day)}: ${shown(values[place])}</title></rect>`)}
    <text x=${LEFT} y=${HEIGHT - 5}>${date(days[0].day)}</text>
    <text x=${WIDTH - 4} y=${HEIGHT - 5} text-anchor="end">${date(days.at(-1).day)}</text>
  </svg>
  <p class="soft small">${label}</p>`;
}

const Rows = ({ data }) => html`<table>
  <thead><tr><th scope="col">${groups[data.by]()}</th><th scope="col" class="num">${_("Calls")}</th>
    <th scope="col" class="num">${_("Tokens in")}</th><th scope="col" class="num">${_("Tokens out")}</th>
    <th scope="col" class="num">${_("Cost")}</th></tr></thead>
  <tbody>${data.rows.map((row) => html`<tr key=${row.name}><td>${row.name || "–"}</td>
    <td class="num">${number(row.calls)}</td><td class="num">${number(row.tokens_in)}</td>
    <td class="num">${number(row.tokens_out)}</td><td class="num">${usd(row.cost_usd)}</td></tr>`)}</tbody>
</table>
${data.more && html`<p class="soft small">${_("Only the dearest are shown.")}</p>`}`;
