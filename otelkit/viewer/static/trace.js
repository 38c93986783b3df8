// One trace: its head, the waterfall, its logs, and the chosen span.

import { spanDetail } from "./detail.js";
import { button, el, keys, reusing } from "./dom.js";
import { clock, count, dollars, duration, moment, plural, tokens } from "./format.js";
import { logEntry } from "./logs.js";
import { failed, treeOf } from "./spans.js";
import { waterfall } from "./waterfall.js";

export function traceView([traceId, spanId]) {
  const head = el("div", { class: "trace-head" });
  const logs = el("div", { class: "logs" });
  const logsTitle = el("h3", {}, "Logs");
  const detail = el("aside", { class: "detail", "aria-label": "Span" });
  let trace = null;
  let selected = spanId || null;
  let shownSpan = "";

  const select = (id) => {
    selected = id;
    history.replaceState(null, "", `#/trace/${traceId}/${id}`);
    chart.select(id);
    showDetail();
  };
  const chart = waterfall(select);
  const entries = reusing(({ log, since, hasSpan }) =>
    logEntry(log, { since, open: hasSpan ? () => select(log.span_id) : null }));
  const showDetail = () => {
    const span = trace.spans.find((candidate) => candidate.span_id === selected);
    // what has not changed is left alone: open parts stay open, marked text stays marked
    const content = JSON.stringify([span, trace.start_unix_nano, trace.logs.filter((log) => log.span_id === selected)]);
    if (!span || content === shownSpan) return;
    detail.scrollTop = shownSpan.includes(`"span_id":"${selected}"`) ? detail.scrollTop : 0;
    shownSpan = content;
    detail.replaceChildren(...spanDetail(span, trace));
  };

  return {
    element: el("section", { class: "trace" }, head,
      el("div", { class: "panes" },
        el("div", { class: "left" }, chart.element, el("div", { class: "trace-logs" },
          el("div", { class: "trace-logs-head" }, logsTitle, hints()), logs)),
        detail)),
    url: () => `/api/traces/${encodeURIComponent(traceId)}`,
    update: (data) => {
      trace = data;
      head.replaceChildren(...headOf(trace));
      const nodes = treeOf(trace.spans);
      if (!trace.spans.some((span) => span.span_id === selected)) selected = interesting(nodes);
      chart.update(trace, nodes, selected);
      logsTitle.textContent = plural(trace.logs.length, "log");
      showLogs(logs, entries, trace);
      showDetail();
    },
    missing: (message) => head.replaceChildren(back(), el("p", { class: "missing" }, message)),
    keydown: (event) => {
      if (event.key === "Escape") location.hash = "#/";
      else if (!event.target.closest("aside, .trace-logs")) chart.keydown(event);
    },
  };
}

// What a reader looks for first: where it failed, at the bottom of the failure; else the root.
function interesting(nodes) {
  const broken = nodes.filter(({ span }) => failed(span)).sort((one, other) => other.depth - one.depth);
  const raised = broken.find(({ span }) => span.events.some((event) => event.name === "exception"));
  return (raised ?? broken[0] ?? nodes[0]).span.span_id;
}

function hints() {
  return el("span", { class: "hint" }, keys("↑ ↓", "span"), keys("← →", "fold"), keys("Esc", "all traces"));
}

function back() {
  return el("a", { class: "back", href: "#/", title: "All traces (Esc)" }, "←");
}

function headOf(trace) {
  const more = trace.span_count - trace.spans.length;
  return [
    back(),
    el("div", { class: "title" },
      el("h1", {}, trace.name),
      el("span", { class: "muted" }, trace.services.join(", "))),
    el("div", { class: "figures" },
      figure("Started", clock(trace.start_unix_nano), moment(trace.start_unix_nano)),
      figure("Duration", duration(trace.duration_ms)),
      figure("Spans", more > 0 ? `${count(trace.spans.length)} of ${count(trace.span_count)}` : count(trace.span_count)),
      trace.error_count ? figure("Errors", count(trace.error_count), "", "error") : null,
      trace.input_tokens || trace.output_tokens
        ? figure("Tokens", tokens(trace.input_tokens, trace.output_tokens), "input → output") : null,
      trace.cost === null ? null : figure("Cost", dollars(trace.cost))),
    copyId(trace.trace_id),
  ].filter(Boolean);
}

function figure(name, value, title = "", state = "") {
  return el("div", { class: `figure ${state}`, title }, el("small", {}, name), el("b", {}, value));
}

function copyId(traceId) {
  const copy = button(`${traceId.slice(0, 8)}…`, async () => {
    await navigator.clipboard.writeText(traceId);
    copy.textContent = "copied";
    setTimeout(() => { copy.textContent = `${traceId.slice(0, 8)}…`; }, 1200);
  }, { class: "copy", title: `Copy the trace id ${traceId}` });
  return copy;
}

function showLogs(list, entries, trace) {
  const known = new Set(trace.spans.map((span) => span.span_id));
  list.replaceChildren(...entries(trace.logs.map((log) => ({
    log,
    since: (Number(log.time_unix_nano) - Number(trace.start_unix_nano)) / 1e6,
    hasSpan: known.has(log.span_id),
  }))));
  if (!trace.logs.length) list.append(el("p", { class: "muted" }, "No log record carries this trace id."));
}
