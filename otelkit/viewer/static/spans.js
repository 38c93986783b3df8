// What a span is, told by its attributes, and how the spans of a trace form a tree.

export const KINDS = {
  http: "HTTP",
  workflow: "Workflow",
  stage: "Stage",
  agent: "Agent",
  tool: "Tool",
  llm: "LLM",
  db: "Database",
  span: "Other",
};

const OPERATIONS = {
  invoke_workflow: "workflow",
  invoke_agent: "agent",
  create_agent: "agent",
  execute_tool: "tool",
};

export function kindOf(span) {
  const attributes = span.attributes;
  const operation = attributes["gen_ai.operation.name"];
  if (operation) return OPERATIONS[operation] ?? "llm";
  if (attributes["otelkit.stage.name"]) return "stage";
  const names = Object.keys(attributes);
  if (names.some((name) => name.startsWith("db."))) return "db";
  if (names.some((name) => name.startsWith("http."))) return "http";
  return "span";
}

export function failed(span) {
  return span.status.code === "ERROR";
}

// Gives the nodes { span, depth, children, orphan } in the order they are shown: by tree, then time.
export function treeOf(spans) {
  const nodes = new Map(spans.map((span) => [span.span_id, { span, children: [], depth: 0 }]));
  const roots = [];
  for (const node of nodes.values()) {
    const parent = nodes.get(node.span.parent_id);
    node.orphan = !parent && Boolean(node.span.parent_id);
    (parent ? parent.children : roots).push(node);
  }
  const ordered = [];
  const seen = new Set();
  const walk = (start) => {
    const stack = [start];
    while (stack.length) {
      const node = stack.pop();
      if (seen.has(node)) continue;
      seen.add(node);
      ordered.push(node);
      for (const child of node.children.filter((one) => !seen.has(one)).reverse()) {
        child.depth = node.depth + 1;
        stack.push(child);
      }
    }
  };
  roots.forEach(walk);
  // spans that are each other's ancestors hang under no root; they are shown all the same
  nodes.forEach(walk);
  return ordered;
}

// The nodes without those below a collapsed one.
export function visible(nodes, collapsed) {
  const shown = [];
  let hiddenBelow = Infinity;
  for (const node of nodes) {
    if (node.depth > hiddenBelow) continue;
    hiddenBelow = collapsed.has(node.span.span_id) ? node.depth : Infinity;
    shown.push(node);
  }
  return shown;
}
