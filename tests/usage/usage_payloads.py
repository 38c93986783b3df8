"""The wire payloads of this directory; each file names the page its format is from, and a date."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from otelkit.usage import Stream

FILES = sorted((Path(__file__).parent / "payloads").glob("*.json"))


def load(name: str) -> dict[str, Any]:
    """The whole file, with its source."""
    return json.loads((Path(__file__).parent / "payloads" / f"{name}.json").read_text())


def response(name: str) -> dict[str, Any]:
    """The one response of a payload file."""
    return load(name)["response"]


def events(name: str) -> list[dict[str, Any]]:
    """The chunks or events of a payload file."""
    return load(name)["events"]


def streamed(chunks: Iterable[Any], *, capture: bool = True, max_bytes: int = 8192) -> Stream:
    """A stream that has seen the chunks."""
    stream = Stream(capture=capture, max_bytes=max_bytes)
    for chunk in chunks:
        stream.feed(chunk)
    return stream
