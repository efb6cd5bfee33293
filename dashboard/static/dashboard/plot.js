// What a job found: each result over time with the best so far, and the best over the grid.

import { language, _, say } from "./i18n.js";
import { number, time } from "./format.js";
import { html, useState } from "./preact.js";

const WIDTH = 640;
const HEIGHT = 220;
const LEFT = 62;
const BOTTOM = 24;

const figures = new Intl.NumberFormat(language(), { maximumSignificantDigits: 4 });
export const figure = (value) =>
  value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-4)
    ? value.toExponential(2) : figures.format(value);

const axes = {
  __proto__: null,
  algorithm: () => _("Algorithm"),
  function: () => _("Function"),
  iterations: () => _("Iterations"),
  agents: () => _("Agents"),
  dimension: () => _("Dimension"),
};

export function Plot({ data }) {
  const [axis, setAxis] = useState("");
  if (!data.points.length) return html`<p class="soft small">${_("No results yet.")}</p>`;
  const known = Object.keys(data.axes).filter((name) => data.axes[name].length);
  const id = `axis-${data.job?.id}`;
  return html`<div class="row"><label for=${id}>${_("Plot")}</label>
      <select id=${id} style=${{ width: "auto" }} value=${axis} onChange=${(event) => setAxis(event.target.value)}>
        <option value="">${_("Convergence over time")}</option>
        ${known.map((name) => html`<option key=${name} value=${name}>${say(_("Best by %(axis)s"), { axis: axes[name]?.() ?? name })}</option>`)}
      </select></div>
    ${axis ? html`<${Best} rows=${data.axes[axis]} name=${axes[axis]?.() ?? axis} />` : html`<${Convergence} points=${data.points} />`}`;
}

/** Values that span many powers of ten need a logarithmic scale. */
function scaleOf(points) {
  const values = points.flatMap((point) => [point.value, point.best]).filter(Number.isFinite);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const logarithmic = low > 0 && high / low > 1000;
  const of = logarithmic ? Math.log10 : (value) => value;
  const span = of(high) - of(low) || 1;
  const y = (value) => 10 + (HEIGHT - BOTTOM - 20) * (1 - (of(value) - of(low)) / span);
  return { low, high, logarithmic, y };
}

function Convergence({ points }) {
  const { low, high, logarithmic, y } = scaleOf(points);
  const first = new Date(points[0].at).getTime();
  const last = new Date(points.at(-1).at).getTime();
  const x = (at) => LEFT + ((new Date(at) - first) / (last - first || 1)) * (WIDTH - LEFT - 12);
  const path = points.map(({ at, best }, index) => {
    const here = `${x(at).toFixed(1)} ${y(best).toFixed(1)}`;
    return index ? `H${x(at).toFixed(1)}L${here}` : `M${here}`;
  }).join("");
  const label = say(_("%(n)s results; the best is %(best)s, the worst %(worst)s"), {
    n: number(points.length), best: figure(low), worst: figure(high),
  });
  return html`<svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="xMinYMid" role="img" aria-label=${label}>
    ${[high, low].map((value) => html`<g key=${value}>
      <line x1=${LEFT} x2=${WIDTH} y1=${y(value)} y2=${y(value)} />
      <text x=${LEFT - 6} y=${y(value) + 4} text-anchor="end">${figure(value)}</text></g>`)}
    ${points.map((point) => html`<circle key=${point.task_id} cx=${x(point.at)} cy=${y(point.value)} r="2.5" />`)}
    <path class="best" d=${path} />
    <text x=${LEFT} y=${HEIGHT - 5}>${time(points[0].at)}</text>
    <text x=${WIDTH - 4} y=${HEIGHT - 5} text-anchor="end">${time(points.at(-1).at)}</text>
  </svg>
  <p class="soft small">${label}${logarithmic ? ` · ${_("logarithmic scale")}` : ""}</p>`;
}

const Best = ({ rows, name }) => html`<table>
  <thead><tr><th scope="col">${name}</th><th scope="col" class="num">${_("Best value")}</th><th scope="col" class="num">${_("Tasks")}</th></tr></thead>
  <tbody>${[...rows].sort((a, b) => a.best - b.best).map((row) => html`<tr key=${row.value}>
    <td>${row.value}</td><td class="num">${figure(row.best)}</td><td class="num">${number(row.tasks)}</td></tr>`)}</tbody>
</table>`;
