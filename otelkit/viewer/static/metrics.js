// The latest values of all metrics: by service, by instrument, one line a series.

import { el } from "./dom.js";
import { duration, measured, plural } from "./format.js";

// An instance that is silent for longer than two of the usual intervals between exports has ended.
const SILENT_NS = 150e9;

// Instruments whose ended instances somebody looks at; the list is drawn anew every time.
const opened = new Set();

export function metricsView() {
  const list = el("div", { class: "metrics" });
  const show = () => {
    const words = input.value.trim().toLowerCase();
    const found = points.filter((point) => JSON.stringify(point).toLowerCase().includes(words));
    const gone = ended(points);
    list.replaceChildren(...grouped(found).map((group) => instrument(group, gone)));
    if (!found.length) {
      list.append(el("div", { class: "empty" }, el("h2", {}, points.length ? "No metric matches" : "No metrics yet")));
    }
  };
  const input = el("input", {
    type: "search", placeholder: "/ to filter metrics", "aria-label": "Filter",
    "aria-keyshortcuts": "/", input: show,
  });
  let points = [];
  return {
    element: el("section", { class: "page" }, el("div", { class: "toolbar" }, input), list),
    url: () => "/api/metrics",
    update: (data) => {
      points = data.metrics;
      show();
    },
  };
}

function grouped(points) {
  const groups = new Map();
  for (const point of points) {
    const key = JSON.stringify([point.service, point.name, point.type]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(point);
  }
  return [...groups.values()];
}

// The instances that have ended; of a service whose instances all have, the latest is not among them.
function ended(points) {
  const last = new Map();
  const latest = new Map();
  for (const point of points) {
    const time = Number(point.time_unix_nano);
    last.set(instanceOf(point), Math.max(time, last.get(instanceOf(point)) ?? 0));
    latest.set(point.service, Math.max(time, latest.get(point.service) ?? 0));
  }
  const silent = Date.now() * 1e6 - SILENT_NS;
  return (point) => {
    const time = last.get(instanceOf(point));
    return time < silent && time < latest.get(point.service);
  };
}

function instanceOf(point) {
  return `${point.service} ${point.resource["service.instance.id"]}`;
}

function instrument(points, gone) {
  const [{ name, unit, type, description, service, temporality }] = points;
  const several = new Set(points.map(instanceOf)).size > 1;
  const [old, live] = [points.filter(gone), points.filter((point) => !gone(point))];
  const instances = new Set(old.map(instanceOf)).size;
  return el("article", { class: "card" },
    el("header", {}, el("h2", {}, name), unit && unit !== "1" ? el("span", { class: "unit" }, unit) : null,
      el("span", { class: "type" }, [type.replace("_", " "), temporality === "delta" ? "delta" : ""].join(" ")),
      el("small", {}, service)),
    description ? el("p", {}, description) : null,
    live.map((point) => series(point, several)),
    old.length ? el("details", {
      class: "folded",
      open: opened.has(name),
      toggle: ({ target }) => opened[target.open ? "add" : "delete"](name),
    }, el("summary", {}, `${plural(old.length, "series")} of ${plural(instances, "ended instance")}`),
    old.map((point) => series(point, true))) : null);
}

function series(point, several) {
  const labels = Object.entries(point.attributes).sort();
  const instance = point.resource["service.instance.id"];
  if (several && instance) labels.push(["instance", instance]);
  return el("div", { class: "series" },
    el("div", { class: "labels" }, labels.length
      ? labels.map(([key, value]) => el("span", { class: "label" }, el("i", {}, key), String(value)))
      : el("span", { class: "none" }, "no attributes")),
    histogram(point),
    el("div", { class: "value" }, valueOf(point)));
}

function valueOf(point) {
  const inUnit = (value) => (point.unit === "s" && typeof value === "number"
    ? duration(value * 1000) : measured(value));
  if ("value" in point) return [el("b", {}, inUnit(point.value))];
  const about = point.count ? [`mean ${inUnit(point.sum / point.count)}`] : [];
  if (typeof point.max === "number") about.push(`max ${inUnit(point.max)}`);
  return [el("b", {}, plural(point.count, "value")), el("small", {}, about.join(" · "))];
}

// Bars for the filled part of the buckets; the bound of each is in its title.
function histogram({ buckets = [], bounds = [] }) {
  const numbers = buckets.map(Number);
  const first = numbers.findIndex((number) => number > 0);
  if (first < 0) return el("div", { class: "histogram" });
  const last = numbers.findLastIndex((number) => number > 0);
  const most = Math.max(...numbers);
  return el("div", { class: "histogram" }, numbers.slice(first, last + 1).map((number, offset) => {
    const bound = bounds[first + offset];
    const bar = el("i", { title: `${number} ${bound === undefined ? "above" : `up to ${bound}`}` });
    bar.style.height = `${Math.max(number ? 8 : 2, (100 * number) / most)}%`;
    return bar;
  }));
}
