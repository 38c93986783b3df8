// What an LLM was told and what it answered (gen_ai.input.messages and the like), as a conversation.

import { el, parsed, readable } from "./dom.js";

const SOURCES = [
  ["gen_ai.system_instructions", "system"],
  ["gen_ai.input.messages", null],
  ["gen_ai.output.messages", "assistant"],
];

export const MESSAGE_ATTRIBUTES = new Set(SOURCES.map(([name]) => name));

export function conversation(attributes) {
  const messages = SOURCES.flatMap(([name, role]) => messagesOf(attributes[name], role));
  return messages.length ? el("div", { class: "conversation" }, messages) : null;
}

function messagesOf(value, defaultRole) {
  if (value === undefined) return [];
  const list = parsed(value);
  if (!Array.isArray(list)) return [message(defaultRole ?? "user", [part(value)])];
  // system instructions are a list of parts, without a message around them
  if (list.every((item) => item && typeof item === "object" && !item.role && !item.parts)) {
    return [message(defaultRole ?? "user", list.map(part))];
  }
  return list.map((item) => {
    const parts = Array.isArray(item?.parts) ? item.parts : [item?.content ?? item];
    return message(String(item?.role ?? defaultRole ?? "user"), parts.map(part), item?.finish_reason);
  });
}

function message(role, parts, finishReason) {
  const known = ["system", "user", "assistant", "tool"].includes(role) ? role : "user";
  return el("div", { class: `message ${known}` },
    el("div", { class: "role" }, role, finishReason ? el("small", {}, String(finishReason)) : null),
    parts);
}

function part(item) {
  if (item === null || typeof item !== "object") return el("p", {}, readable(item));
  if (item.type === "text") return el("p", {}, readable(item.content));
  if (item.type === "reasoning") return el("p", { class: "reasoning" }, readable(item.content));
  if (item.type === "tool_call") {
    return el("div", { class: "call" }, el("b", {}, `${item.name ?? "tool"}()`), el("pre", {}, readable(item.arguments)));
  }
  if (item.type === "tool_call_response") {
    return el("div", { class: "call" }, el("b", {}, "result"), el("pre", {}, readable(item.response ?? item.result)));
  }
  return el("pre", {}, readable(item));
}
