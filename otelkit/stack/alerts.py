"""The receivers of ``alertmanager.yml``: ``ALERT_*`` sets them, and those in use must be whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from otelkit.errors import OtelkitError

FILE = Path("alertmanager/alertmanager.yml")  # in collector/

# A line that is set: what stands before its value, the value, the remark with the names.
_LINE = re.compile(r"^(\s*(?:- )?\w+: )(.*?)(  # from (\w+)(?: or (\w+))?)$", re.MULTILINE)
_RECEIVER = re.compile(r"^  - name: (\w+)$", re.MULTILINE)
_PLACEHOLDER = "example.com"
_SECRETS = "/etc/alertmanager/secrets"  # of the container
_NEEDS = {
    "email": ["ALERT_EMAIL_TO", "ALERT_EMAIL_FROM", "ALERT_SMTP_SMARTHOST"],
    "webhook": ["ALERT_WEBHOOK_URL"],
}
# What Alertmanager would refuse when it starts: how a value looks, and that in words.
_SHAPES = {
    "ALERT_SMTP_TLS": (r"true|false", "true or false"),
    "ALERT_SMTP_SMARTHOST": (r"([\w.-]+|\[[\da-fA-F:.]+\]):\d+", "host:port, such as mail:587"),
    "ALERT_WEBHOOK_URL": (
        r"https?://([\w.:~-]+@)?([\w.-]+|\[[\da-fA-F:.]+\])(:\d+)?([/?#]([^%\s]|%[\da-fA-F]{2})*)?",
        "a URL, such as https://alerts.example.com/, or file",
    ),
}


def read(text: str) -> dict[str, str]:
    """What the lines of ``text`` that end with ``# from NAME`` say, by that name."""
    return {found[4]: found[2].strip('"') for found in _LINE.finditer(text)}


def render(text: str, settings: Mapping[str, str]) -> str:
    """``text`` with every line that ends with ``# from NAME`` set to what that setting says.

    Raises:
        OtelkitError: A setting names a receiver that ``text`` has not, or Alertmanager would not
            start with it.
    """
    choices = _RECEIVER.findall(text)

    def line(found: re.Match[str]) -> str:
        name = found[4] if settings.get(found[4]) else found[5]
        value = settings.get(name)
        if not value:
            return found[0]
        if name.endswith("RECEIVER") and value not in choices:
            raise OtelkitError(f"{name}={value!r}: expected one of {', '.join(choices)}")
        if name == "ALERT_WEBHOOK_URL" and value == "file":
            key = found[1].replace("url: ", "url_file: ")
            return f"{key}{_SECRETS}/webhook_url{found[3]}"
        _assert_shape(name, value)
        # A JSON string is a YAML string, but for the escapes of what is beyond 16 bits.
        shown = value if name == "ALERT_SMTP_TLS" else json.dumps(value, ensure_ascii=False)
        return f"{found[1]}{shown}{found[3]}"

    return _LINE.sub(line, text)


def _assert_shape(name: str, value: str) -> None:
    shape, words = _SHAPES.get(name, (".*", ""))
    # Who knows the URL of a webhook may need no more to call it.
    shown = name if name == "ALERT_WEBHOOK_URL" else f"{name}={value!r}"
    if not re.fullmatch(shape, value):
        raise OtelkitError(f"{shown}: expected {words}")
    if not value.isprintable():
        raise OtelkitError(f"{shown}: has a character that cannot be printed")


def faults(text: str, settings: Mapping[str, str], secrets: Path) -> Iterator[str]:
    """Why alerts would not reach the receivers that ``text`` uses.

    Args:
        text: Of ``alertmanager.yml``.
        settings: Those of ``.env``.
        secrets: The folder of files with secrets.
    """
    try:
        if render(text, settings) != text:
            yield "is not what .env says of ALERT_...: export again"
    except OtelkitError as error:
        yield f".env has {error}"
    said = read(text)
    used = {said.get("ALERT_RECEIVER", ""), said.get("ALERT_CRITICAL_RECEIVER", "")}
    for receiver in sorted(used):
        for name in _NEEDS.get(receiver, []):
            if _PLACEHOLDER in said.get(name, ""):
                yield f"receiver {receiver}: {name}={said[name]} is a placeholder; set it"
        secret = _secret(receiver, said)
        if secret and not _is_filled(secrets / secret):
            yield f"receiver {receiver}: {secrets / secret} is missing or empty"


def _secret(receiver: str, said: Mapping[str, str]) -> str | None:
    if receiver == "slack":
        return "slack_url"
    if receiver == "webhook" and said.get("ALERT_WEBHOOK_URL", "").startswith(_SECRETS):
        return "webhook_url"
    if receiver == "email" and said.get("ALERT_SMTP_USER"):
        return "smtp_password"
    return None


def _is_filled(path: Path) -> bool:
    # Alertmanager's user may read what ours may not.
    return path.is_file() and path.stat().st_size > 0
