"""Cutting a text leaks no part of a secret, and looks no further than it must."""

from __future__ import annotations

import tracemalloc

import pytest

from otelkit.redaction import LOOKAHEAD, clip, scrub

SECRETS = [
    "sk-proj-CANARYcanary0123456789",
    "ghp_CANARY0123456789abcdefghijABCDEFGHIJ",
    "Bearer CANARY.canary.0123",
    "password=CANARYcanary",
    '"password": "CANARY canary canary"',
    "https://ada:CANARYcanary@example.org/x",
    "eyJCANARYOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    "-----BEGIN PRIVATE KEY-----\n" + "CANARYcanary\n" * 200 + "-----END PRIVATE KEY-----",
    "Cookie: a=CANARY; b=canary",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("length", [0, 5_000])
def test_a_secret_cut_anywhere_does_not_leak(secret: str, length: int) -> None:
    text = f"{'word ' * 40}{secret} {'x' * length}"
    for limit in range(len("word " * 40) + min(len(secret), 300) + 5):
        shown = clip(text, limit)
        assert len(shown) <= limit
        assert "CAN" not in shown
        assert "canary" not in shown


@pytest.mark.parametrize("secret", SECRETS)
def test_the_end_of_what_is_looked_at_does_not_leak_either(secret: str) -> None:
    # The first secret shrinks to a word, so the last that is looked at comes within the limit.
    first = "-----BEGIN PRIVATE KEY-----\n" + "MIIE\n" * 200 + "-----END PRIVATE KEY-----"
    text = f"{first} {secret} {'x' * 5_000}"
    for limit in range(min(len(secret), 300) + 60):
        shown = clip(text, limit)
        assert "CAN" not in shown
        assert "canary" not in shown


def test_a_card_number_cut_anywhere_does_not_leak() -> None:
    text = f"{'x ' * 20}4111 1111 1111 1111 {'y ' * 3_000}"
    for limit in range(80):
        assert "4111" not in clip(text, limit)


def test_what_is_shown_is_the_beginning_of_the_scrubbed_text() -> None:
    text = "a password=secret1 " + "lorem ipsum " * 1_000
    assert clip(text, 500) == scrub(text)[:500]
    assert clip("short", 500) == "short"
    assert clip("token=abc", 500) == "token=[redacted]"


def test_the_window_is_bounded_whatever_the_length_of_the_text() -> None:
    text = "lorem ipsum " * 500_000
    tracemalloc.start()
    try:
        clip(text, 1_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * (1_000 + LOOKAHEAD)
