// The waterfall: the tree of spans on the left, when each ran on the right.

import { el } from "./dom.js";
import { count, dollars, duration } from "./format.js";
import { failed, kindOf, KINDS, visible } from "./spans.js";

const INDENT = 14;
const DEEPEST = 24;
// Beyond this share of the width (%) a bar leaves no room for the text beside it.
const ROOM = 68;

export function waterfall(select) {
  const legend = el("div", { class: "legend" });
  const axis = el("div", { class: "axis" });
  const rows = el("div", { class: "spans", role: "tree", "aria-label": "Spans" });
  const collapsed = new Set();
  let state = { trace: null, nodes: [], selected: null };

  const toggle = (id) => {
    if (!collapsed.delete(id)) collapsed.add(id);
    draw();
  };
  const draw = () => {
    const focused = rows.contains(document.activeElement);
    const scale = scaleOf(state.trace);
    rows.replaceChildren(...visible(state.nodes, collapsed).map((node) =>
      row(node, scale, { collapsed, select, toggle })));
    mark(rows, state.selected, focused);
  };

  return {
    element: el("div", { class: "waterfall" },
      el("div", { class: "waterfall-head" }, legend, axis), rows),
    update: (trace, nodes, selected) => {
      state = { trace, nodes, selected };
      legend.replaceChildren(...legendOf(nodes));
      const step = tickStep(trace.duration_ms);
      axis.replaceChildren(...ticks(trace.duration_ms, step));
      rows.style.setProperty("--step", `${(100 * step) / Math.max(trace.duration_ms, 0.001)}%`);
      draw();
    },
    select: (id) => {
      state.selected = id;
      const index = state.nodes.findIndex((node) => node.span.span_id === id);
      if (unfold(state.nodes, index, collapsed)) draw();
      mark(rows, id, true);
    },
    keydown: (event) => {
      const shown = visible(state.nodes, collapsed);
      const index = shown.findIndex((node) => node.span.span_id === state.selected);
      const target = step(event.key, shown, index, collapsed, toggle);
      if (target === undefined) return;
      event.preventDefault();
      if (target) select(target.span.span_id);
    },
  };
}

// What a key does: gives the node to choose, null when it only folded, undefined when it is not ours.
function step(key, shown, index, collapsed, toggle) {
  const node = shown[index];
  if (!node) return undefined;
  const folded = collapsed.has(node.span.span_id);
  const moves = {
    ArrowDown: () => shown[index + 1],
    ArrowUp: () => shown[index - 1],
    Home: () => shown[0],
    End: () => shown.at(-1),
    ArrowRight: () => (folded ? toggle(node.span.span_id) : node.children.length ? shown[index + 1] : null),
    ArrowLeft: () => (node.children.length && !folded
      ? toggle(node.span.span_id)
      : shown.slice(0, index).findLast((above) => above.depth < node.depth)),
  };
  const move = moves[{ j: "ArrowDown", k: "ArrowUp" }[key] ?? key];
  return move ? move() ?? null : undefined;
}

// Opens the folded ancestors of a node; tells whether there were any.
function unfold(nodes, index, collapsed) {
  let changed = false;
  let depth = nodes[index]?.depth ?? 0;
  for (let above = index - 1; above >= 0 && depth > 0; above -= 1) {
    if (nodes[above].depth < depth) {
      depth = nodes[above].depth;
      changed = collapsed.delete(nodes[above].span.span_id) || changed;
    }
  }
  return changed;
}

function mark(rows, id, focus) {
  for (const element of rows.children) {
    const chosen = element.dataset.id === id;
    element.setAttribute("aria-selected", String(chosen));
    element.tabIndex = chosen ? 0 : -1;
    if (chosen && focus) element.focus({ preventScroll: true });
    if (chosen && focus) element.scrollIntoView({ block: "nearest" });
  }
}

function row(node, scale, { collapsed, select, toggle }) {
  const { span, depth, children, orphan } = node;
  const id = span.span_id;
  const kind = kindOf(span);
  const name = el("div", { class: "name" },
    children.length
      ? el("span", { class: "twist", click: (event) => { event.stopPropagation(); toggle(id); } }, collapsed.has(id) ? "▸" : "▾")
      : el("span", { class: "twist" }),
    el("i", { class: "mark" }),
    el("span", { class: "label", title: span.name }, span.name),
    orphan ? el("small", { title: "Its parent span is not here" }, "parent missing") : null);
  name.style.paddingLeft = `${8 + Math.min(depth, DEEPEST) * INDENT}px`;
  return el("div", {
    class: `span kind-${kind}${failed(span) ? " error" : ""}`,
    role: "treeitem",
    "data-id": id,
    "aria-level": depth + 1,
    "aria-expanded": children.length ? String(!collapsed.has(id)) : null,
    "aria-label": `${KINDS[kind]}: ${span.name}, ${duration(span.duration_ms)}${failed(span) ? ", error" : ""}`,
    click: () => select(id),
  }, name, lane(span, scale));
}

function scaleOf(trace) {
  const start = Number(trace.start_unix_nano);
  const whole = Math.max(trace.duration_ms, 0.001);
  return (nanoseconds) => (100 * (Number(nanoseconds) - start)) / 1e6 / whole;
}

function lane(span, scale) {
  const left = scale(span.start_unix_nano);
  const right = scale(span.end_unix_nano);
  const bar = el("i", { class: "bar" });
  bar.style.left = `${left}%`;
  bar.style.width = `${right - left}%`;
  const label = el("span", { class: "time" }, duration(span.duration_ms), usage(span.attributes));
  if (right <= ROOM) label.style.left = `calc(${right}% + 8px)`;
  else if (left >= 100 - ROOM) label.style.right = `calc(${100 - left}% + 8px)`;
  else {
    label.classList.add("inside");
    label.style.right = `calc(${100 - right}% + 8px)`;
  }
  const events = span.events.map((event) => {
    const tick = el("i", { class: event.name === "exception" ? "tick error" : "tick", title: event.name });
    tick.style.left = `${Math.min(100, Math.max(0, scale(event.time_unix_nano)))}%`;
    return tick;
  });
  return el("div", { class: "lane" }, bar, events, label);
}

function usage(attributes) {
  const input = attributes["gen_ai.usage.input_tokens"];
  const output = attributes["gen_ai.usage.output_tokens"];
  const cost = attributes["gen_ai.usage.cost.amount"];
  const parts = [];
  if (typeof input === "number" || typeof output === "number") parts.push(`${count((input ?? 0) + (output ?? 0))} tokens`);
  if (typeof cost === "number") parts.push(dollars(cost));
  return parts.length ? el("small", {}, parts.join(" · ")) : null;
}

function legendOf(nodes) {
  const kinds = new Set(nodes.map((node) => kindOf(node.span)));
  return Object.keys(KINDS).filter((kind) => kinds.has(kind)).map((kind) =>
    el("span", { class: `kind-${kind}` }, el("i", { class: "mark" }), KINDS[kind]));
}

// About five marks on the time axis, at round numbers (ms).
function tickStep(whole) {
  const rough = Math.max(whole, 0.001) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999);
}

function ticks(whole, step) {
  const marks = [];
  for (let at = 0; at < whole * 0.97; at += step) {
    const tick = el("span", {}, at === 0 ? "0" : duration(at));
    tick.style.left = `${(100 * at) / whole}%`;
    marks.push(tick);
  }
  return marks;
}
