// The list of traces, with search and filters.

import { button, el, keys } from "./dom.js";
import { clock, count, dollars, duration, moment, plural, tokens } from "./format.js";

const COLUMNS = ["Trace", "Started", "Duration", "Spans", "Tokens", "Cost"];

// Filters outlive the view, so that going back from a trace finds the list as it was left.
const filters = { q: "", service: "", errors: false };

export function tracesView(_, refresh) {
  const rows = el("div", { class: "rows" });
  const services = el("select", { "aria-label": "Service", change: () => {
    filters.service = services.value;
    refresh();
  } });
  const toolbar = el("div", { class: "toolbar" }, searchBox(refresh), services, errorsOnly(refresh),
    el("span", { class: "hint" }, keys("/", "search"), keys("↑ ↓", "move"), keys("↵", "open")));
  const head = el("div", { class: "row head" }, COLUMNS.map((name) => el("span", {}, name)));
  const element = el("section", { class: "traces" }, toolbar,
    el("div", { class: "table" }, head, rows));

  return {
    element,
    url: () => {
      const query = new URLSearchParams();
      if (filters.q) query.set("q", filters.q);
      if (filters.service) query.set("service", filters.service);
      if (filters.errors) query.set("errors", "1");
      return `/api/traces?${query}`;
    },
    update: (data) => {
      fillServices(services, data.services);
      const focused = document.activeElement?.dataset?.id;
      const longest = Math.max(...data.traces.map((trace) => trace.duration_ms), 0);
      rows.replaceChildren(...data.traces.map((trace) => traceRow(trace, longest)));
      if (!data.traces.length) rows.append(data.services.length ? nothingFound() : welcome());
      if (focused) rows.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    },
    keydown: (event) => moveFocus(rows, event),
  };
}

function searchBox(refresh) {
  let timer = 0;
  const input = el("input", {
    type: "search",
    placeholder: "/ to search: names, attributes, errors, trace ids",
    "aria-label": "Search",
    "aria-keyshortcuts": "/",
    spellcheck: "false",
    input: () => {
      filters.q = input.value.trim();
      clearTimeout(timer);
      timer = setTimeout(refresh, 200);
    },
  });
  input.value = filters.q;
  return input;
}

function errorsOnly(refresh) {
  const toggle = button("Errors only", () => {
    filters.errors = !filters.errors;
    toggle.setAttribute("aria-pressed", String(filters.errors));
    refresh();
  }, { class: "toggle", "aria-pressed": String(filters.errors) });
  return toggle;
}

function fillServices(select, names) {
  const options = ["", ...new Set([...names, filters.service].filter(Boolean))];
  if (select.options.length !== options.length) {
    select.replaceChildren(...options.map((name) =>
      el("option", { value: name }, name || "All services")));
  }
  select.value = filters.service;
}

function traceRow(trace, longest) {
  const share = el("i", { class: "share" });
  share.style.width = `${longest ? (100 * trace.duration_ms) / longest : 0}%`;
  const others = trace.services.filter((name) => name !== trace.service);
  return el("a", { class: "row", href: `#/trace/${trace.trace_id}`, "data-id": trace.trace_id },
    el("span", { class: "what" },
      el("i", { class: trace.error_count ? "state error" : "state ok" }),
      el("b", {}, trace.name),
      trace.detail ? el("span", { class: "detail-of" }, trace.detail) : null,
      el("small", {}, [trace.service, ...others].join(", ")),
      trace.error_count ? el("em", { class: "errors" }, plural(trace.error_count, "error")) : null),
    el("span", { class: "number", title: moment(trace.start_unix_nano) }, clock(trace.start_unix_nano)),
    el("span", { class: "number long" }, el("i", { class: "track" }, share), duration(trace.duration_ms)),
    el("span", { class: "number" }, count(trace.span_count)),
    el("span", { class: "number" }, trace.input_tokens || trace.output_tokens
      ? tokens(trace.input_tokens, trace.output_tokens) : el("span", { class: "none" }, "–")),
    el("span", { class: "number" }, trace.cost === null
      ? el("span", { class: "none" }, "–") : dollars(trace.cost)));
}

function moveFocus(rows, event) {
  const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  if (!step) return;
  const all = [...rows.querySelectorAll("a.row")];
  const index = all.indexOf(document.activeElement);
  all[index < 0 ? 0 : Math.min(all.length - 1, Math.max(0, index + step))]?.focus();
  event.preventDefault();
}

function nothingFound() {
  return el("div", { class: "empty" }, el("h2", {}, "No trace matches"),
    el("p", {}, "Try other words, or remove a filter."));
}

function welcome() {
  return el("div", { class: "empty" },
    el("h2", {}, "Waiting for the first trace"),
    el("p", {}, "This page fills by itself. Point any OpenTelemetry exporter (OTLP over HTTP) at it:"),
    el("pre", {}, `OTEL_EXPORTER_OTLP_ENDPOINT=${location.origin}`),
    el("p", {}, "or, in a Python application:"),
    el("pre", {}, "import otelkit\n\notelkit.setup()"));
}
