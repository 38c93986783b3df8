// Log records: those of a trace, or the latest of all.

import { attributeTable, button, el, readable, reusing } from "./dom.js";
import { clock, duration, moment } from "./format.js";

// One record. `since` (ms) shows its time relative to a trace; `open` jumps to its span.
export function logEntry(log, { since = null, open = null } = {}) {
  const level = levelOf(log.severity_number);
  const time = since === null ? clock(log.time_unix_nano, true) : `+${duration(Math.max(0, since))}`;
  const jump = open && log.span_id
    ? button("span", (event) => { event.preventDefault(); open(log); }, { class: "jump", title: "Show the span" })
    : null;
  const more = { ...log.attributes };
  if (log.event_name) more["event.name"] = log.event_name;
  return el("details", { class: `log ${level}` },
    el("summary", {},
      el("time", { title: moment(log.time_unix_nano) }, time),
      el("span", { class: "level" }, log.severity || "–"),
      el("span", { class: "message" }, messageOf(log)),
      el("span", { class: "logger" }, since === null ? sourceOf(log) : log.scope.name),
      jump),
    el("pre", {}, readable(log.body)),
    attributeTable({ ...more, "service.name": log.service }));
}

export function levelOf(number) {
  return number >= 17 ? "error" : number >= 13 ? "warn" : number >= 9 ? "info" : "debug";
}

function sourceOf(log) {
  return [...new Set([log.service, log.scope.name])].filter(Boolean).join(" · ");
}

function messageOf(log) {
  const body = log.body ?? log.event_name;
  return typeof body === "string" ? body : JSON.stringify(body);
}

export function logsView() {
  const list = el("div", { class: "logs" });
  const entries = reusing((log) => logEntry(log, { open: openTrace(log) }));
  let logs = [];
  const show = () => {
    const words = input.value.trim().toLowerCase();
    const found = logs.filter((log) => JSON.stringify(log).toLowerCase().includes(words)).reverse();
    list.replaceChildren(...entries(found));
    if (!found.length) {
      list.append(el("div", { class: "empty" }, el("h2", {}, logs.length ? "No log matches" : "No logs yet")));
    }
  };
  const input = el("input", {
    type: "search", placeholder: "/ to filter the latest logs", "aria-label": "Filter",
    "aria-keyshortcuts": "/", input: show,
  });
  return {
    element: el("section", { class: "page" }, el("div", { class: "toolbar" }, input), list),
    url: () => "/api/logs?limit=500",
    update: (data) => {
      logs = data.logs;
      show();
    },
  };
}

function openTrace(log) {
  return log.trace_id ? () => { location.hash = `#/trace/${log.trace_id}/${log.span_id ?? ""}`; } : null;
}
