"""Any value as text, numbers, lists and dicts that JSON and OTLP know: bounded, without secrets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from otelkit import capture, redaction

MESSAGE_LIMIT = 65_536  # bytes of UTF-8
FIELD_LIMIT = 16_320  # with the mark of a cut within the usual limit of attributes, 16,384
FIELDS_LIMIT = 100
_NAME_LIMIT = 256
_SHORT = 10**12  # an integer below it is no number of a card
_INT64 = 2**63


def plain(given: Mapping[Any, Any]) -> dict[str, Any]:
    """``given`` with text for names, and with values that JSON and OTLP know."""
    fields: dict[str, Any] = {}
    for key, value in given.items():
        if len(fields) >= FIELDS_LIMIT:
            fields["otelkit.fields.dropped"] = len(given) - FIELDS_LIMIT
            break
        if key and (key in redaction.harmless_keys or _admitted(key)):
            fields[key] = _value(value)
        else:
            name = text(shown(key), _NAME_LIMIT) or "(empty)"
            fields[name] = redaction.REDACTED if redaction.is_sensitive(name) else _value(value)
    return fields


# Short texts come again and again: names, states, models, messages without arguments. Those that
# hold no secret are remembered.
_harmless: set[str] = set()
_SHORT_TEXT = 64
_REMEMBERED = 4_096


def forget() -> None:
    """Look at every text again, because what is a secret has changed."""
    _harmless.clear()


def familiar(value: str, limit: int) -> str:
    """As :func:`text`, faster for what has been seen before."""
    if len(value) > _SHORT_TEXT:
        return text(value, limit)
    if value in _harmless:
        return value
    clean = text(value, limit)
    if clean == value:
        if len(_harmless) >= _REMEMBERED:
            _harmless.clear()
        _harmless.add(value)
    return clean


def text(value: str, limit: int) -> str:
    """``value`` without secrets, as valid Unicode, cut at ``limit`` bytes with a mark."""
    if len(value) * 4 <= limit:
        return redaction.scrub(value if value.isascii() else valid(value))
    clean = valid(redaction.clip(value, limit))
    encoded = clean.encode()
    if len(value) <= limit and len(encoded) <= limit:
        return clean
    return f"{encoded[:limit].decode('utf-8', 'ignore')}… [cut, {len(value)} characters]"


def valid(value: str) -> str:
    """``value`` with lone surrogates escaped: in the exporter they would fail a whole batch."""
    if value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()


def shown(value: object) -> str:
    """``str(value)``; a text of ours where that fails."""
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__} without text: {type(error).__name__}>"


def _admitted(key: Any) -> bool:
    return type(key) is str and key.isascii() and redaction.admit(key)


def _value(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return familiar(value, FIELD_LIMIT)
    if value is None or kind is bool or (kind is int and -_SHORT < value < _SHORT):
        return value
    if kind is float:
        return value if math.isfinite(value) else str(value)
    if kind is bytes:
        return text(value[: 2 * FIELD_LIMIT].decode("utf-8", "backslashreplace"), FIELD_LIMIT)
    if kind is int and not -_INT64 <= value < _INT64:
        return shown(value)
    # What capture encodes is bounded, redacted and free of cycles.
    found = json.loads(capture.encode(value).text)
    return familiar(found, FIELD_LIMIT) if type(found) is str else found
