"""What a client's ``with_raw_response`` returns: the body behind it, with nothing consumed.

The clients of OpenAI and Anthropic share this wrapper. Its ``parse()`` may start a stream, may be a
coroutine and keeps what it made, so it is never called here: what was parsed already is used, else
the body if it was read already, decoded a second time.
"""

from __future__ import annotations

import json
from typing import Any

_NAMES = {"LegacyAPIResponse", "APIResponse", "AsyncAPIResponse"}


def unwrap(value: Any) -> Any:
    """The parsed response or the decoded body of a raw response; anything else as it is."""
    if type(value).__name__ not in _NAMES:
        return value
    for parsed in value._parsed_by_type.values():
        return parsed
    response = value.http_response
    # Before a body was read (a stream, or with_streaming_response) there is nothing to look at.
    return json.loads(response.content) if response.is_closed else None
