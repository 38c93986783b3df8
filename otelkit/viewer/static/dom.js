// Builds elements. Text only ever becomes text nodes, so nothing that telemetry brings can be markup.

export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function button(label, onClick, properties = {}) {
  return el("button", { type: "button", click: onClick, ...properties }, label);
}

export function keys(names, meaning) {
  return el("span", {}, names.split(" ").map((name) => el("kbd", {}, name)), meaning);
}

// Makes the elements of a list that is drawn again and again. Those of items that are still there
// are used again, so that what was opened stays open.
export function reusing(make) {
  let known = new Map();
  return (items) => {
    const next = new Map();
    for (const item of items) {
      let key = JSON.stringify(item);
      while (next.has(key)) key += "+";
      next.set(key, known.get(key) ?? make(item));
    }
    known = next;
    return [...next.values()];
  };
}

// A list of names and values; pairs without a value are left out.
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (!shown.length) return null;
  return el("dl", { class: "facts" }, shown.map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

// Attributes as a table, by name.
export function attributeTable(attributes) {
  const names = Object.keys(attributes).sort();
  return el("dl", { class: "attributes" }, names.map((name) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, readable(attributes[name])))));
}

// A value as text; JSON, also within a string, is indented.
export function readable(value) {
  if (typeof value === "string") {
    const inner = parsed(value);
    return inner !== null && typeof inner === "object" ? JSON.stringify(inner, null, 2) : value;
  }
  return JSON.stringify(value, null, 2) ?? "null";
}

export function parsed(value) {
  if (typeof value !== "string") return value ?? null;
  if (!/^\s*[[{]/.test(value)) return null;
  try {
    return JSON.parse(value);
  } catch {
    return null;
  }
}
