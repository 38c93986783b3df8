"""Content of spans: any value as bounded, valid JSON, with secrets left out.

Nothing here raises, whatever the value; no code of the value's class is run; a value is read only
as far as the budget goes, so that five megabytes cost no more than ten kilobytes.
"""

from __future__ import annotations

from otelkit.capture._call import encode_call
from otelkit.capture._encode import Encoded, encode
from otelkit.capture._messages import encode_messages
from otelkit.capture._shapes import describe

__all__ = ["Encoded", "describe", "encode", "encode_call", "encode_messages"]
