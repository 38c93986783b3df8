"""The agents: each has one task, a prompt, and a check of what the model answers.

An answer that does not pass the check is sent back once with the reason. After that, or when the
model cannot be reached, the agent has failed.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import openai
from pydantic import BaseModel, ConfigDict, ValidationError

import otelkit

from . import llm, safety, tools
from .schema import Schema, Table

log = logging.getLogger(__name__)
T = TypeVar("T")
Messages = list[Any]
Ask = Callable[[Messages], Awaitable[str]]
Emit = Callable[[str, dict[str, Any]], None]
_RENDER_MODEL = {
    "type": "function",
    "function": {
        "name": "render_model",
        "description": "Renders the SQLAlchemy model of one table",
        "parameters": {"type": "object", "properties": {"table": {"type": "string"}}},
    },
}


class ModelNames(BaseModel):
    """Which language model each agent asks."""

    model_config = ConfigDict(extra="forbid")

    architect: str = "gpt-5"
    coder: str = "gpt-5-mini"
    reviewer: str = "gpt-5-nano"


class AgentFailed(Exception):
    """An agent that came to nothing: which one, and why."""

    def __init__(self, agent: str, reason: str) -> None:
        super().__init__(f"agent {agent!r} failed: {reason}")
        self.agent = agent


class PlannedModel(BaseModel):
    """What the architect decides about one table."""

    table: str
    class_name: str
    description: str


class Plan(BaseModel):
    """What the architect decides."""

    models: list[PlannedModel]

    @property
    def class_names(self) -> dict[str, str]:
        """The class of each table."""
        return {model.table: model.class_name for model in self.models}


class Review(BaseModel):
    """What the reviewer thinks."""

    approved: bool
    remarks: list[str]


@otelkit.traced_agent("architect", description="Decides on the class of each table")
async def architect(schema: Schema, model: str) -> Plan:
    """Plan one model for each table; tables known from earlier runs keep their class names."""
    known = await tools.recall_class_names([table.name for table in schema.tables])
    prompt = (
        "You name the SQLAlchemy model of each table and describe it in one sentence. Keep the "
        'known class names. Answer with JSON: {"models": [{"table", "class_name", "description"}]}.'
    )
    task = {"task": "plan", "known_class_names": known, **schema.model_dump()}

    def check(text: str) -> Plan:
        plan = Plan.model_validate_json(text)
        if sorted(plan.class_names) != sorted(table.name for table in schema.tables):
            raise ValueError("the plan must hold each table exactly once")
        if len(set(plan.class_names.values())) != len(schema.tables):
            raise ValueError("two tables have the same class name")
        if wrong := [name for name in plan.class_names.values() if not name.isidentifier()]:
            raise ValueError(f"{wrong[0]!r} cannot be the name of a class")
        return plan

    return await _until_valid("architect", _conversation(prompt, task), _json_from(model), check)


@otelkit.traced_agent("coder", description="Writes the model of one table")
async def coder(table: Table, plan: Plan, model: str, emit: Emit) -> str:
    """Return the source of the model of `table`; `emit` gets the text as the model writes it."""
    prompt = (
        "You write the module of one SQLAlchemy model. First call render_model, then answer with "
        "its source, completed with a docstring, as one block of Python."
    )
    planned = next(one for one in plan.models if one.table == table.name)
    task = {"task": "write", "table": table.model_dump(), "description": planned.description}

    async def ask(messages: Messages) -> str:
        if not any(isinstance(m, dict) and m["role"] == "tool" for m in messages):
            completion = await llm.complete(model=model, messages=messages, tools=[_RENDER_MODEL])
            message = completion.choices[0].message
            if not message.tool_calls:
                return message.content or ""
            messages.append(message.model_dump(exclude_none=True))
            for call in message.tool_calls:
                source = tools.render_model(table, plan.class_names)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": source})
        pieces = []
        async for chunk in llm.stream(model=model, messages=messages):
            for choice in chunk.choices:
                pieces.append(choice.delta.content or "")
                emit("text", {"table": table.name, "text": pieces[-1]})
        return "".join(pieces)

    def check(text: str) -> str:
        block = re.search(r"```(?:python)?\n(.*?)```", text, re.DOTALL)
        source = block.group(1) if block else text
        safety.refuse_unsafe(source, f"{table.name}.py")
        if f"class {planned.class_name}(Base):" not in source:
            raise ValueError(f"there is no class {planned.class_name}(Base)")
        return source

    return await _until_valid("coder", _conversation(prompt, task), ask, check)


@otelkit.traced_agent("reviewer", description="Judges the models once they are built")
async def reviewer(schema: Schema, models: list[str], model: str) -> list[str]:
    """Return remarks on the design; not to approve of it is a failure."""
    prompt = (
        "You review the design of a database whose models were generated and built. Answer with "
        'JSON: {"approved": true or false, "remarks": ["..."]}.'
    )
    task = {"task": "review", "models": models, **schema.model_dump()}

    check = Review.model_validate_json
    conversation = _conversation(prompt, task)
    review = await _until_valid("reviewer", conversation, _json_from(model), check)
    if not review.approved:
        raise AgentFailed("reviewer", f"not approved: {'; '.join(review.remarks)}")
    return review.remarks


def _conversation(prompt: str, task: dict[str, Any]) -> Messages:
    return [
        {"role": "system", "content": prompt},
        {"role": "user", "content": json.dumps(task)},
    ]


def _json_from(model: str) -> Ask:
    async def ask(messages: Messages) -> str:
        completion = await llm.complete(
            model=model, messages=messages, response_format={"type": "json_object"}
        )
        return completion.choices[0].message.content or ""

    return ask


async def _until_valid(agent: str, messages: Messages, ask: Ask, check: Callable[[str], T]) -> T:
    reason = ""
    for attempt in (1, 2):
        try:
            text = await ask(messages)
        except openai.OpenAIError as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            raise AgentFailed(agent, f"the model gave no answer: {error}{cause}") from error
        try:
            return check(text)
        except (ValueError, SyntaxError) as error:
            reason = _reason(error)
        log.warning("answer refused", extra={"agent": agent, "attempt": attempt, "reason": reason})
        messages.append({"role": "assistant", "content": text})
        messages.append({"role": "user", "content": f"Not usable: {reason}. Answer again."})
    raise AgentFailed(agent, f"no usable answer in two attempts: {reason}")


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors()[0]["msg"])
    return str(error)
