"""Token usage, model and content out of the responses and streams of LLM clients.

One file for each provider's API; none of their packages is needed or imported.
"""

from __future__ import annotations

from otelkit.usage._read import messages, read
from otelkit.usage._stream import Stream
from otelkit.usage._types import Reply, Usage

__all__ = ["Reply", "Stream", "Usage", "messages", "read"]
