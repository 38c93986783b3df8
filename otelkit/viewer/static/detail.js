// All there is to know about one span.

import { attributeTable, el, facts, readable } from "./dom.js";
import { clock, count, dollars, duration, moment, plural } from "./format.js";
import { logEntry } from "./logs.js";
import { conversation, MESSAGE_ATTRIBUTES } from "./messages.js";
import { failed, kindOf, KINDS } from "./spans.js";

// Values worth a block of their own: attribute and heading.
const BLOCKS = [
  ["gen_ai.tool.call.arguments", "Arguments"],
  ["gen_ai.tool.call.result", "Result"],
  ["otelkit.input", "Input"],
  ["otelkit.output", "Output"],
  ["db.query.text", "Query"],
  ["db.statement", "Query"],
];
const SHOWN_ABOVE = new Set([...MESSAGE_ATTRIBUTES, ...BLOCKS.map(([name]) => name)]);

export function spanDetail(span, trace) {
  const kind = kindOf(span);
  const start = (Number(span.start_unix_nano) - Number(trace.start_unix_nano)) / 1e6;
  const logs = trace.logs.filter((log) => log.span_id === span.span_id);
  const since = (time) => (Number(time) - Number(trace.start_unix_nano)) / 1e6;
  return [
    el("header", { class: `kind-${kind}` },
      el("div", { class: "badges" },
        el("span", { class: "badge kind" }, KINDS[kind]),
        failed(span) ? el("span", { class: "badge error" }, "Error") : null,
        el("span", { class: "muted" }, span.service)),
      el("h2", {}, span.name),
      facts([
        ["Duration", duration(span.duration_ms)],
        ["Starts at", `+${duration(Math.max(0, start))}`],
        ["Span kind", span.kind.toLowerCase()],
      ])),
    errors(span),
    kind === "llm" ? section("LLM call", llmFacts(span.attributes)) : null,
    kind === "http" ? section("Request", httpFacts(span.attributes)) : null,
    section("Messages", conversation(span.attributes)),
    BLOCKS.map(([name, title]) => (name in span.attributes
      ? section(title, el("pre", { class: "block" }, readable(span.attributes[name]))) : null)),
    section(plural(logs.length, "log"), logs.length
      ? el("div", { class: "logs" }, logs.map((log) => logEntry(log, { since: since(log.time_unix_nano) }))) : null),
    section("Attributes", attributesOf(span)),
    section("Events", events(span, since)),
    section("Links", links(span)),
    folded("Resource", attributeTable(span.resource)),
    folded("Identity", attributeTable({
      "trace id": span.trace_id,
      "span id": span.span_id,
      "parent id": span.parent_id ?? "none",
      "start": moment(span.start_unix_nano),
      "end": moment(span.end_unix_nano),
      "scope": `${span.scope.name} ${span.scope.version}`.trim(),
    })),
  ].flat().filter(Boolean);
}

function section(title, content) {
  return content ? el("section", {}, el("h3", {}, title), content) : null;
}

function folded(title, content) {
  return el("details", { class: "folded" }, el("summary", {}, title), content);
}

function attributesOf(span) {
  const rest = Object.entries(span.attributes).filter(([name]) => !SHOWN_ABOVE.has(name));
  return rest.length ? attributeTable(Object.fromEntries(rest)) : null;
}

function errors(span) {
  const exceptions = span.events.filter((event) => event.name === "exception");
  if (exceptions.length) return exceptions.map(({ attributes }) => exception(attributes));
  if (!failed(span)) return null;
  return el("div", { class: "exception" },
    el("b", {}, readable(span.attributes["error.type"] ?? "Error")),
    span.status.message ? el("p", {}, span.status.message) : null);
}

function exception(attributes) {
  const stack = attributes["exception.stacktrace"];
  return el("div", { class: "exception" },
    el("b", {}, readable(attributes["exception.type"] ?? "Exception")),
    el("p", {}, readable(attributes["exception.message"] ?? "")),
    stack ? el("details", {}, el("summary", {}, "Stack trace"), el("pre", {}, readable(stack))) : null);
}

function llmFacts(attributes) {
  const of = (name) => attributes[`gen_ai.${name}`];
  const number = (value) => (value === undefined ? null : count(value));
  const models = [...new Set([of("request.model"), of("response.model")].filter(Boolean))];
  const reasons = of("response.finish_reasons");
  const cost = of("usage.cost.amount");
  const first = of("response.time_to_first_chunk");
  return facts([
    ["Provider", of("provider.name")],
    ["Model", models.join(" → ")],
    ["Input tokens", number(of("usage.input_tokens"))],
    ["of these cached", number(of("usage.cache_read.input_tokens"))],
    ["Output tokens", number(of("usage.output_tokens"))],
    ["of these reasoning", number(of("usage.reasoning.output_tokens"))],
    ["Cost", typeof cost === "number" ? dollars(cost) : null],
    ["First chunk", typeof first === "number" ? duration(first * 1000) : null],
    ["Finished by", Array.isArray(reasons) ? reasons.join(", ") : reasons],
  ]);
}

function httpFacts(attributes) {
  const first = (...names) => names.map((name) => attributes[name]).find((value) => value !== undefined);
  return facts([
    ["Method", first("http.request.method", "http.method")],
    ["Route", first("http.route", "url.full", "http.url", "url.path", "http.target")],
    ["Status", first("http.response.status_code", "http.status_code")],
  ]);
}

function events(span, since) {
  const others = span.events.filter((event) => event.name !== "exception");
  return others.length ? el("div", {}, others.map((event) => el("details", { class: "event" },
    el("summary", {}, el("time", { title: clock(event.time_unix_nano, true) },
      `+${duration(Math.max(0, since(event.time_unix_nano)))}`), event.name),
    attributeTable(event.attributes)))) : null;
}

function links(span) {
  return span.links.length ? el("div", {}, span.links.map((link) => el("div", { class: "link" },
    el("a", { href: `#/trace/${link.trace_id}/${link.span_id}` }, link.trace_id),
    attributeTable(link.attributes)))) : null;
}
