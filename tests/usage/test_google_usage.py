"""Responses of the ``google-genai`` package and of the wire, which spells keys in camelCase."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai.types import GenerateContentResponse
from usage_payloads import events, response, streamed

from otelkit.usage import Reply, Usage, messages, read


def dumped(payload: dict[str, Any]) -> dict[str, Any]:
    return GenerateContentResponse.model_validate(payload).model_dump()


@pytest.mark.parametrize("build", [GenerateContentResponse.model_validate, dict, dumped])
def test_thoughts_are_output_and_tool_results_are_input(build: Any) -> None:
    built = build(response("google_generate"))
    assert read(built) == Reply(
        usage=Usage(
            input_tokens=520,  # the prompt with its cached part, and 20 of tool results
            output_tokens=100,
            cache_read_tokens=300,
            reasoning_tokens=60,
        ),
        model="gemini-2.5-pro",
        id="kXyz1",
        finish_reasons=("stop",),
        provider="gcp.gen_ai",
        service_tier="priority",
    )
    assert messages(built) == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "The schema has two tables."},
                {"type": "text", "content": "Two tables."},
                {
                    "type": "tool_call",
                    "id": None,
                    "name": "create_table",
                    "arguments": {"name": "users"},
                },
            ],
            "finish_reason": "stop",
        }
    ]


@pytest.mark.parametrize("build", [GenerateContentResponse.model_validate, dict])
def test_the_usage_of_chunks_is_cumulative(build: Any) -> None:
    stream = streamed(build(chunk) for chunk in events("google_stream"))
    reply = stream.reply()
    assert reply is not None
    assert reply.usage == Usage(input_tokens=10, output_tokens=12, reasoning_tokens=3)
    assert (reply.id, reply.finish_reasons) == ("kXyz2", ("length",))
    assert stream.messages() == [
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "Two tables."},
                {"type": "tool_call", "id": "f1", "name": "done", "arguments": {}},
            ],
            "finish_reason": "length",
        }
    ]


def test_a_bare_usage_is_read() -> None:
    typed = GenerateContentResponse.model_validate(response("google_generate")).usage_metadata
    for usage in (typed, response("google_generate")["usageMetadata"]):
        reply = read(("a text", usage))
        assert reply is not None
        assert reply.usage is not None
        assert reply.usage.output_tokens == 100
