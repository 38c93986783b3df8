"""Writes the tables of variables out of the settings: ``make docs``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from otelkit.settings import Settings

README = Path(__file__).parent.parent / "README.md"
ALL = Path(__file__).parent / "variables.md"
ALL_BEGINS = """# Variables

Everything that `otelkit.setup()` reads from the environment, and the name of the argument that says
the same (times are seconds there). Written by `make docs` out of `otelkit/settings.py`.

"""
ALL_ENDS = """
## Not read

These belong to the specification or to the SDK, and change nothing:

| Variable | Instead |
|---|---|
| `OTEL_BSP_EXPORT_TIMEOUT`, `OTEL_BLRP_EXPORT_TIMEOUT`, `OTEL_METRIC_EXPORT_TIMEOUT` | \
`OTEL_EXPORTER_OTLP_TIMEOUT` bounds each request; what fails is tried again |
| `OTEL_LOG_LEVEL` | `OTELKIT_LOG_LEVELS=otelkit=DEBUG,opentelemetry=DEBUG` |
| `OTEL_EXPORTER_OTLP_INSECURE` | the scheme of the address: `http://` or `https://` |
| `OTEL_EXPORTER_PROMETHEUS_PORT` | `OTELKIT_METRICS_PORT` |
"""
BEGIN, END = "<!-- variables: begin (written by make docs) -->", "<!-- variables: end -->"


def table(prefix: str = "") -> str:
    """The table in Markdown, a row for each variable whose name begins with ``prefix``."""
    rows = ["| Variable (alias) | Default | Meaning | Argument |", "|---|---|---|---|"]
    for field in dataclasses.fields(Settings):
        if "variables" in field.metadata:
            name, *aliases = field.metadata["variables"]
            if not name.startswith(prefix):
                continue
            also = f" ({', '.join(f'`{alias}`' for alias in aliases)})" if aliases else ""
            says = str(field.metadata["says"])
            says = says[:1].upper() + says[1:]
            rows.append(f"| `{name}`{also} | {_shown(field)} | {says} | `{field.name}` |")
    return "\n".join(rows)


def _shown(field: dataclasses.Field[Any]) -> str:
    value = field.default
    if value is dataclasses.MISSING or value is None or value == ():
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    if isinstance(value, float):
        return f"`{value * 1000 if field.metadata['milliseconds'] else value:g}`"
    return f"`{value}`"


def everything() -> str:
    """The page of all variables."""
    return f"{ALL_BEGINS}{table()}\n{ALL_ENDS}"


def rendered(text: str) -> str:
    """``text`` with the table between its marks."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table('OTELKIT_')}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))
    ALL.write_text(everything())
