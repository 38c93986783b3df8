"""What the demo prints: a tree, log lines and sums, made of what the viewer answered."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from otelkit.cli._demo_requests import Sent, summary
from otelkit.cli._demo_trace import Span, Trace

_COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_KIND_COLOURS = {"workflow": "bold", "agent": "cyan", "llm": "yellow", "sql": "dim", "http": "bold"}
_BAR = 20


def paint(text: str, colour: str | None) -> str:
    """Return `text` in a colour on a terminal, unless `NO_COLOR` is set."""
    if colour is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def heading(text: str) -> None:
    """Print the title of a part."""
    print(f"\n{paint(text, 'bold')}")


def request(sent: Sent, trace: Trace | None) -> None:
    """Print a request with the answer and the trace that it left."""
    status = paint(str(sent.status), "green" if sent.status < 400 else "yellow")
    seen = f"trace {trace.id[:8]}" if trace else "no trace"
    name = f"POST {sent.path}"
    print(f"  {sent.about:<15}{name:<23}{status}  {sent.milliseconds:>6.0f} ms  {seen}")
    print(paint(_shortened(f"{'':17}{summary(sent)}", _width()), "dim"))


def tree(trace: Trace) -> None:
    """Print the spans of a trace, each below its parent, with durations, tokens and cost."""
    lines = [line for root in trace.roots for line in _branches(root, "", "")]
    left = max(len(branch) + len(span.name) for branch, span in lines)
    print(paint(f"  {'':{left}}  {'duration':>9}  {'':{_BAR}}  {'tokens':>13}  {'cost':>9}", "dim"))
    for branch, span in lines:
        name = f"{span.name:{left - len(branch)}}"
        colour = "red" if span.failed else _KIND_COLOURS.get(span.kind)
        when = f"{_milliseconds(span.duration):>9}  {paint(_bar(span, trace.roots[0]), colour)}"
        usage = f"{_tokens(span):>13}  {_dollars(span.attributes.get(_COST)):>9}"
        print(f"  {paint(branch, 'dim')}{paint(name, colour)}  {when}  {usage}".rstrip())


def _branches(span: Span, first: str, rest: str) -> Iterator[tuple[str, Span]]:
    yield first, span
    for child in span.children:
        last = child is span.children[-1]
        corner, line = ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield from _branches(child, rest + corner, rest + line)


def _bar(span: Span, root: Span) -> str:
    """Where in the time of the whole trace a span lies."""
    scale = _BAR / max(root.duration, 0.001)
    begin = min(int((span.start - root.start) / 1e6 * scale), _BAR - 1)
    length = max(1, min(round(span.duration * scale), _BAR - begin))
    return f"{'·' * begin}{'█' * length}{'·' * (_BAR - begin - length)}"


def logs(trace: Trace) -> None:
    """Print the log records of a trace."""
    for record in trace.logs:
        moment = datetime.fromtimestamp(record["time_unix_nano"] / 1e9).strftime("%H:%M:%S.%f")
        fields = " ".join(f"{k}={v}" for k, v in record["attributes"].items() if _own(k))
        colour = "red" if record["severity_number"] >= 13 else None
        level = paint(f"{record['severity']:<7}", colour)
        text = f"{record['trace_id'][:8]}  {record['body']!s:<18} {fields}"
        print(_shortened(f"  {moment[:-3]}  {level} {text}", _width()))


def _own(key: str) -> bool:
    return "." not in key


_COST = "gen_ai.usage.cost.amount"
_USAGE = {
    "input": "gen_ai.usage.input_tokens",
    "cached": "gen_ai.usage.cache_read.input_tokens",
    "output": "gen_ai.usage.output_tokens",
    "reasoning": "gen_ai.usage.reasoning.output_tokens",
}


def agents(traces: Iterable[Trace]) -> None:
    """Print what each agent used and cost, over all traces."""
    calls: dict[str, list[Span]] = {}
    for trace in traces:
        for span in trace.llm_calls:
            calls.setdefault(span.agent or "(none)", []).append(span)
    rows = [_agent_row(name, spans) for name, spans in sorted(calls.items())]
    rows.append(_agent_row("all", [span for spans in calls.values() for span in spans]))
    table(["agent", "calls", *_USAGE, "cost"], rows)


def _agent_row(name: str, spans: Sequence[Span]) -> list[str]:
    def total(key: str) -> Any:
        return sum(span.attributes.get(key) or 0 for span in spans)

    usage = [f"{total(key):,}" for key in _USAGE.values()]
    return [name, str(len(spans)), *usage, _dollars(total(_COST))]


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print rows with the first column to the left and the others to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        cells = [f"{row[0]:<{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        line = "  " + "  ".join(cells)
        print(paint(line, "dim") if row is head else line)


def _tokens(span: Span) -> str:
    counts = [span.attributes.get(_USAGE[name]) for name in ("input", "output")]
    return "" if None in counts else f"{counts[0]:,} → {counts[1]:,}"


def _dollars(amount: float | None) -> str:
    return "" if amount is None else f"${amount:.6f}"


def _milliseconds(duration: float) -> str:
    return f"{duration / 1000:.2f} s" if duration >= 1000 else f"{duration:.1f} ms"


def _shortened(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + "…"


def _width() -> int:
    return shutil.get_terminal_size((120, 24)).columns
