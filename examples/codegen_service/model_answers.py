"""What the local model says: the same prompt always gets the same answer, and it fits the prompt.

The prompts of `agents` carry a JSON object with a `task`; a real model reads the words around it,
this one reads the object.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

GARBAGE = "I am sorry, I lost my train of thought. Was it about birds?"
# Names that the modules of the generated package import, so no class can have them.
_TAKEN = {"Base", "Boolean", "Date", "Decimal", "Float", "Integer", "Mapped", "Numeric", "String"}
_TAKEN |= {"Any", "Text", "UUID", "Uuid", "ForeignKey", "BigInteger", "DateTime", "JSON"}


@dataclass(frozen=True)
class Answer:
    """An answer in words, or a call of a tool."""

    text: str = ""
    tool: str | None = None
    arguments: str = ""


def answer(messages: list[dict[str, Any]], *, fault: str = "") -> Answer:
    """Answer the last of `messages`; with the fault `garbage` or `garbage-once` with nonsense."""
    again = any(m["role"] == "user" for m in messages[2:])
    if fault == "garbage" or (fault == "garbage-once" and not again):
        return Answer(GARBAGE)
    asked = next((m["content"] for m in messages if m["role"] == "user"), "")
    try:
        task = json.loads(asked[asked.index("{") :])
        match task["task"]:
            case "plan":
                return _plan(task)
            case "write":
                return _write(task, messages)
            case "review":
                return _review(task)
    except (ValueError, KeyError, TypeError):
        pass
    return Answer("Hello! I am the local model of the example; I only know its prompts.")


def count_tokens(text: str) -> int:
    """Return about as many tokens as a real tokenizer finds in `text`."""
    return len(re.findall(r"\w{1,5}|[^\w\s]{1,2}|\n+", text))


def _plan(task: dict[str, Any]) -> Answer:
    names = {**task["known_class_names"]}
    for table in task["tables"]:
        names.setdefault(table["name"], _class_name(table["name"], set(names.values())))
    models = [
        {
            "table": table["name"],
            "class_name": names[table["name"]],
            "description": _describe(table, names),
        }
        for table in task["tables"]
    ]
    return Answer(json.dumps({"models": models}, indent=2))


def _write(task: dict[str, Any], messages: list[dict[str, Any]]) -> Answer:
    rendered = next((m["content"] for m in reversed(messages) if m["role"] == "tool"), None)
    if rendered is None:
        return Answer(tool="render_model", arguments=json.dumps({"table": task["table"]["name"]}))
    header = re.compile(r"^class \w+\(Base\):\n", re.MULTILINE)
    docstring = f'    """{task["description"]}"""\n\n'
    source = header.sub(lambda found: found.group() + docstring, rendered, count=1)
    return Answer(f"```python\n{source}```\n")


def _review(task: dict[str, Any]) -> Answer:
    remarks = [
        f"{table['name']}.{column['name']}: a foreign key without an index is slow to join on"
        for table in task["tables"]
        for column in table["columns"]
        if column["foreign_key"] and not column["unique"] and not column["primary_key"]
    ]
    return Answer(json.dumps({"approved": True, "remarks": remarks}, indent=2))


def _class_name(table: str, taken: set[str]) -> str:
    words = [word for word in table.split("_") if word]
    if words[-1].endswith("ies"):
        words[-1] = words[-1][:-3] + "y"
    elif words[-1].endswith("s") and not words[-1].endswith(("ss", "us")):
        words[-1] = words[-1][:-1]
    name = "".join(word[:1].upper() + word[1:] for word in words)
    while name in taken | _TAKEN:
        name += "Row"
    return name


def _describe(table: dict[str, Any], names: dict[str, str]) -> str:
    columns = [column["name"] for column in table["columns"] if not column["primary_key"]]
    text = f"One row of {table['name']}"
    if columns:
        text += f", with its {', '.join(columns[:4])}"
    if targets := [names[link["target"]] for link in table["relationships"]]:
        text += f"; linked to {', '.join(targets)}"
    return text + "."
