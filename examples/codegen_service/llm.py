"""Calls of the language model, through the real `openai` client."""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterator
from typing import Any

import openai
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

import otelkit

from . import model_server


@functools.cache
def client() -> AsyncOpenAI:
    """Return the client: of OpenAI with `OPENAI_API_KEY`, else of a local server in a thread."""
    if os.environ.get("OPENAI_API_KEY"):
        return AsyncOpenAI(timeout=60.0)
    return AsyncOpenAI(api_key="local", base_url=model_server.start(), timeout=60.0)


@otelkit.traced_llm(provider="openai")
async def complete(*, model: str, messages: list[Any], **options: Any) -> ChatCompletion:
    """Ask for one whole answer; `options` are those of chat completions."""
    completion: ChatCompletion = await client().chat.completions.create(
        model=model, messages=messages, **options
    )
    return completion


@otelkit.traced_llm(provider="openai")
async def stream(*, model: str, messages: list[Any]) -> AsyncIterator[ChatCompletionChunk]:
    """Ask for an answer in pieces, which come as the model writes them."""
    chunks = await client().chat.completions.create(
        model=model, messages=messages, stream=True, stream_options={"include_usage": True}
    )
    try:
        async with chunks:
            async for chunk in chunks:
                yield chunk
    except openai.OpenAIError:
        raise
    except Exception as error:
        # Not every version of the client makes a broken connection an error of its own.
        raise openai.APIConnectionError(request=chunks.response.request) from error
