// What happened over time: ends, failures and waits, of all channels or of one.

import { get, query } from "./api.js";
import { duration, number, rate, moment, time, timeZone } from "./format.js";
import { _, language, ngettext, say } from "./i18n.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { useValues } from "./route.js";
import { state } from "./store.js";

const RANGES = {
  __proto__: null,
  "1h": { name: () => _("1 hour"), again: 5_000 },
  "24h": { name: () => _("24 hours"), again: 30_000 },
  "7d": { name: () => _("7 days"), again: 60_000 },
};
const USUAL = { range: "1h", channel: "" };
const HEIGHT = 170;
const VENDOR = "./vendor/uplot-1.6.32";

let loading;

/** The library for plots, read when the first one is drawn. */
function library() {
  loading ??= new Promise((resolve, reject) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL(`${VENDOR}/uPlot.min.css`, import.meta.url).href;
    const script = document.createElement("script");
    script.src = new URL(`${VENDOR}/uPlot.iife.min.js`, import.meta.url).href;
    script.onload = () => resolve(window.uPlot);
    script.onerror = reject;
    document.head.append(style, script);
  });
  return loading;
}

/** The series of this range and channel, read again now and then. */
function useSeries(range, channel) {
  const [read, setRead] = useState({});
  useEffect(() => {
    let wanted = true;
    const load = () => get(query("/console/series", { range, channel })).then(
      (data) => wanted && setRead({ data }),
      (refusal) => wanted && setRead((old) => ({ ...old, problem: refusal.message })),
    );
    load();
    const timer = setInterval(load, RANGES[range].again);
    return () => {
      wanted = false;
      clearInterval(timer);
    };
  }, [range, channel]);
  return read;
}

export function Series() {
  const [values, change] = useValues(USUAL);
  const range = RANGES[values.range] ? values.range : USUAL.range;
  const { channel } = values;
  const { data, problem } = useSeries(range, channel);
  const fresh = data?.range === range && (data.channel ?? "") === channel ? data : null;
  const channels = [...state.channels.values()].sort((a, b) => a.name.localeCompare(b.name));
  return html`<section class="panel series" aria-labelledby="series">
    <header><h2 id="series">${_("Over time")}</h2>
      <div class="row"><label for="series-channel">${_("Channel")}</label>
        <select id="series-channel" value=${channel} onChange=${(event) => change({ channel: event.target.value })}>
          <option value="">${_("all")}</option>
          ${channels.map((row) => html`<option key=${row.id} value=${row.id}>${row.name}</option>`)}</select></div>
      <div class="segments" role="group" aria-label=${_("Range")}>${Object.entries(RANGES).map(([key, { name }]) => html`
        <button type="button" key=${key} aria-pressed=${key === range} onClick=${() => change({ range: key })}>${name()}</button>`)}</div>
    </header>
    ${problem && html`<p class="empty">${problem}</p>`}
    <div class="plots">${plots.map((plot) => html`<${Figure} key=${plot.name()} plot=${plot} data=${fresh} />`)}</div>
  </section>`;
}

const sum = (values) => values.reduce((total, value) => total + (value ?? 0), 0);
const most = (values) => Math.max(0, ...values.filter((value) => value !== null));

const endedIn = (data) => data.done.map((done, place) => done + data.failed[place] + data.cancelled[place]);

/** Ends per minute; of the last point, which is not over, in its time so far. */
function perMinute(data) {
  const lasted = Math.max((new Date(data.until) - new Date(data.start)) / 1000 % data.span, 1);
  return endedIn(data).map((ended, place) =>
    (60 * ended) / (place === data.done.length - 1 ? Math.max(lasted, 30) : data.span));
}

const WHOLE = [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power));
const SECONDS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400];

const plots = [
  {
    name: () => _("Throughput"),
    unit: rate,
    lines: (data) => [{ label: _("ended per minute"), tone: "--accent", values: perMinute(data), fill: true }],
    says: (data) => {
      const counts = endedIn(data), ended = sum(counts);
      return say(ngettext("%(n)s task ended, at most %(most)s per minute", "%(n)s tasks ended, at most %(most)s per minute", ended), {
        n: number(ended), most: rate((60 * most(counts)) / data.span), // what is not over is not said to go on
      });
    },
  },
  {
    name: () => _("Failures"),
    unit: number,
    steps: WHOLE,
    bars: true,
    lines: (data) => [{ label: _("failures"), tone: "--failed", values: data.failed, fill: true }],
    says: (data) => say(ngettext("%(n)s failure", "%(n)s failures", sum(data.failed)), { n: number(sum(data.failed)) }),
  },
  {
    name: () => _("Waiting time"),
    unit: duration,
    steps: SECONDS,
    lines: (data) => [
      { label: _("median"), tone: "--running", values: data.wait_p50 },
      { label: _("95th percentile"), tone: "--locked", values: data.wait_p95 },
    ],
    says: (data) => (most(data.wait_p95)
      ? say(_("From claimable to claimed: the median at most %(median)s, the 95th percentile %(most)s"), {
        median: duration(most(data.wait_p50)), most: duration(most(data.wait_p95)),
      }) : _("Nothing was claimed.")),
  },
];

function Figure({ plot, data }) {
  return html`<figure><figcaption><h3>${plot.name()}</h3><p class="soft small">${data ? plot.says(data) : " "}</p></figcaption>
    ${data && html`<${Chart} plot=${plot} data=${data} />`}</figure>`;
}

const days = new Intl.DateTimeFormat(language(), { weekday: "short", day: "numeric", timeZone });
const byHours = (at) => time(at).slice(0, 5);
const byDays = (at) => days.format(at);

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function options(Plot, plot, data, width) {
  const axis = { stroke: tone("--soft"), grid: { stroke: tone("--line"), width: 1 }, ticks: { stroke: tone("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
  const at = data.span < 3_600 ? byHours : byDays;
  const shown = (value) => (value === null || value === undefined ? "–" : plot.unit(value));
  return {
    width,
    height: HEIGHT,
    padding: [null, 24, null, null], // the last time is not cut
    tzDate: (at) => (timeZone ? Plot.tzDate(new Date(at * 1000), timeZone) : new Date(at * 1000)),
    legend: { live: true },
    cursor: { y: false, points: { size: 6 } },
    scales: { x: { time: true }, y: { range: (_plot, _low, high) => [0, Math.max(high * 1.1, 1)] } },
    axes: [
      { ...axis, space: 70, values: (_plot, splits) => splits.map((split) => at(split * 1000)) },
      { ...axis, size: 62, space: 36, incrs: plot.steps, values: (_plot, splits) => splits.map(shown) },
    ],
    series: [
      { label: _("Time"), value: (_plot, value) => (value === null ? "–" : moment(value * 1000).slice(0, 16)) },
      ...plot.lines(data).map((line) => ({
        label: line.label,
        stroke: tone(line.tone),
        width: 1.5,
        fill: line.fill ? `${tone(line.tone)}26` : undefined,
        points: { show: !line.fill, size: 4 },
        paths: plot.bars ? Plot.paths.bars({ size: [0.8, 40] }) : undefined,
        value: (_plot, value) => shown(value),
      })),
    ],
  };
}

const dots = (data) => data.done.map((_one, place) => new Date(data.start) / 1000 + place * data.span);

/** A plot, drawn by uPlot on a canvas; made anew for another width, range or theme. */
function Chart({ plot, data }) {
  const place = useRef();
  const drawn = useRef(null);
  const values = () => [dots(data), ...plot.lines(data).map((line) => line.values)];
  const latest = useRef(values);
  latest.current = values;
  useEffect(() => {
    let wanted = true;
    const draw = () => library().then((Plot) => {
      if (!wanted) return;
      drawn.current?.destroy();
      const width = Math.max(200, place.current.clientWidth);
      drawn.current = new Plot(options(Plot, plot, data, width), latest.current(), place.current);
    }, () => {});
    // The library is read when a plot comes into sight, not before.
    const sight = new IntersectionObserver((seen) => {
      if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
      sight.disconnect();
      draw();
    });
    sight.observe(place.current);
    const sizes = new ResizeObserver(([{ contentRect }]) =>
      drawn.current?.setSize({ width: Math.max(200, contentRect.width), height: HEIGHT }));
    sizes.observe(place.current);
    const again = () => drawn.current && draw();
    const themes = new MutationObserver(again);
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", again);
    return () => {
      wanted = false;
      sight.disconnect();
      sizes.disconnect();
      themes.disconnect();
      dark.removeEventListener("change", again);
      drawn.current?.destroy();
      drawn.current = null;
    };
  }, [data.range, data.channel]);
  useEffect(() => {
    drawn.current?.setData(values());
  }, [data]);
  return html`<div class="chart" ref=${place} role="img" aria-label=${`${plot.name()}: ${plot.says(data)}`}></div>`;
}
