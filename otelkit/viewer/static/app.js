// The frame: which view is shown (told by the address), and its refreshing while it is shown.

import { plural } from "./format.js";
import { logsView } from "./logs.js";
import { metricsView } from "./metrics.js";
import { traceView } from "./trace.js";
import { tracesView } from "./traces.js";

const INTERVAL = 1000;
const HIDDEN_INTERVAL = 15_000;
const VIEWS = { traces: tracesView, trace: traceView, logs: logsView, metrics: metricsView };

let view = null;
let timer = 0;
let request = null;

// A view is { element, url(), update(data), missing?(message), keydown?(event) }.
function route() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const shown = Object.hasOwn(VIEWS, name) ? name : "traces";
  for (const tab of document.querySelectorAll("nav a")) {
    const active = tab.dataset.tab === shown || (shown === "trace" && tab.dataset.tab === "traces");
    if (active) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  view = VIEWS[shown](rest, refresh);
  document.getElementById("main").replaceChildren(view.element);
  refresh();
}

async function refresh() {
  clearTimeout(timer);
  request?.abort();
  request = new AbortController();
  const asked = { view, url: view.url(), signal: request.signal };
  try {
    await load(asked);
    setLive(true);
  } catch (error) {
    if (asked.signal.aborted) return;
    setLive(false);
  }
  timer = setTimeout(refresh, document.hidden ? HIDDEN_INTERVAL : INTERVAL);
}

async function load({ view: asking, url, signal }) {
  const [answer, stats] = await Promise.all([
    fetch(url, { signal }), fetch("/api/stats", { signal }),
  ]);
  const [text, counts] = [await answer.text(), await stats.json()];
  showStats(counts);
  // drawn again only when something changed: nothing moves under the reader's eyes
  if (asking.shown === url + text) return;
  asking.shown = url + text;
  const data = JSON.parse(text, exactly);
  if (answer.ok) asking.update(data);
  else asking.missing?.(data.message);
}

// Integers beyond 2^53 stay exact: as the digits they were written with.
function exactly(key, value, context) {
  const inexact = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return inexact && /^-?\d+$/.test(context?.source ?? "") ? context.source : value;
}

function showStats({ spans, logs, metrics }) {
  const dropped = spans.dropped + logs.dropped + metrics.dropped;
  const parts = [plural(spans.kept, "span"), plural(logs.kept, "log"), plural(metrics.kept, "series")];
  if (dropped) parts.push(`${plural(dropped, "old item")} dropped`);
  document.getElementById("stats").textContent = parts.join(" · ");
}

function setLive(connected) {
  const live = document.getElementById("live");
  live.textContent = connected ? "Live" : "Viewer not running";
  live.classList.toggle("off", !connected);
}

addEventListener("hashchange", route);
addEventListener("visibilitychange", () => document.hidden || refresh());
addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "Escape" && typing) return typing.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/" && document.querySelector("input[type=search]")) {
    event.preventDefault();
    document.querySelector("input[type=search]").focus();
  } else {
    view.keydown?.(event);
  }
});
route();
