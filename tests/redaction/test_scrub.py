"""What scrub() finds in free text, and what it leaves alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelkit import redaction
from otelkit.redaction import scrub

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nabc/def+==\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"

TOKENS = {
    "sk-abcdefghijklmnopqrstuvwxyz012345": "sk-[redacted]",
    "sk-proj-AbC_123-xyz7890abcdef": "sk-[redacted]",
    "sk-ant-api03-AbC_123-xyz7890": "sk-[redacted]",
    "lsv2_pt_0123456789abcdef0123456789abcdef_0123456789": "lsv2_pt_[redacted]",
    "lsv2_sk_0123456789abcdef0123456789abcdef_0123456789": "lsv2_sk_[redacted]",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv": "AIza[redacted]",
    "AKIAIOSFODNN7EXAMPLE": "AKIA[redacted]",
    "ASIAIOSFODNN7EXAMPLE": "ASIA[redacted]",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345": "ghp_[redacted]",
    "github_pat_11AAAAAAA0abcdefghijkl_0123456789ABCDEF": "github_pat_[redacted]",
    "xoxb-123456789012-abcdefABCDEF": "xoxb-[redacted]",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc": "sk_live_[redacted]",
    "rk_test_4eC39HqLyjWDarjtT1zdp7dc": "rk_test_[redacted]",
    "whsec_4eC39HqLyjWDarjtT1zdp7dc": "whsec_[redacted]",
    "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH": "hf_[redacted]",
    "gsk_abcdefghijklmnopqrstuvwxyz0123456789": "gsk_[redacted]",
    "glpat-abcdefABCDEF01234567": "glpat-[redacted]",
    "xai-abcdefABCDEF01234567": "xai-[redacted]",
    JWT: "eyJ[redacted]",
    PEM: "[redacted]",
    "4111 1111 1111 1111": "[redacted]",
    "4111-1111-1111-1111": "[redacted]",
    "5500005555555559": "[redacted]",
    "3782 822463 10005": "[redacted]",
    "378282246310005": "[redacted]",
}

TEXTS = {
    "Bearer abc.DEF-123": "Bearer [redacted]",
    "bearer  0123456789": "bearer  [redacted]",
    "Basic dXNlcjpwYXNzd29yZA==": "Basic [redacted]",
    "postgresql://user:p4ss@db:5432/app": "postgresql://user:[redacted]@db:5432/app",
    "https://user:p@ss@host/x": "https://user:[redacted]@host/x",
    "redis://:hunter2@cache": "redis://:[redacted]@cache",
    "password=hunter2": "password=[redacted]",
    "PGPASSWORD=hunter2 psql": "PGPASSWORD=[redacted] psql",
    "db_password = hunter2, next": "db_password = [redacted] next",
    "password='two words' rest": "password='[redacted]' rest",
    "api_key: abc123": "api_key: [redacted]",
    "https://x.io/?a=1&access_token=abc&b=2": "https://x.io/?a=1&access_token=[redacted]&b=2",
    "Server=db;Pwd=hunter2;Database=x": "Server=db;Pwd=[redacted];Database=x",
    "Login(user='ada', password='hunter2')": "Login(user='ada', password='[redacted]')",
    "{'token': 'abc', 'n': 1}": "{'token': '[redacted]', 'n': 1}",
    '{"password": "a \\"b\\" c", "n": 1}': '{"password": "[redacted]", "n": 1}',
    '{\\"password\\": \\"hunter2\\", \\"n\\": 1}': '{\\"password\\": \\"[redacted]\\", \\"n\\": 1}',
    '{"credentials": {"user": "ada", "pin": "1"}}': '{"credentials": [redacted]}',
    "Authorization: Token abc": "Authorization: [redacted]",
    "Authorization: Basic dXNlcjpwYXNz\nHost: x": "Authorization: [redacted]\nHost: x",
    "Cookie: a=1; session=2\r\nHost: x": "Cookie: [redacted]\r\nHost: x",
    "curl -H 'X-Api-Key: abc' https://x.io": "curl -H 'X-Api-Key: [redacted]' https://x.io",
    "card 4111 1111 1111 1111 12/27 123": "card [redacted] 12/27 123",
    "2 x 4111111111111111": "2 x [redacted]",
    "-----BEGIN PRIVATE KEY-----\nMIIE, never ended": "[redacted]",
}

ORDINARY = [
    "",
    "The risk-management-strategy of the task-force was a success.",
    "A basic understanding of bearer token authentication",
    "It used 1200 tokens: input_tokens=800, output_tokens=400, max_tokens=1024",
    "time 10:20:30, ratio 3:4, https://example.com:8080/path?page=2&sort=asc#top",
    "user@example.com wrote to ada@example.org",
    "my_hf_model and hf_small, ghp_x, sk_learn, AIza, AKIA, eyJ, xoxb-1",
    "score 0.4111111111111111, order 4111111111111112, epoch 1732290000000",
    "1234 5678 9012 3456 are no card",
    "2025-03-01T10:20:30.123456+00:00 123e4567-e89b-12d3-a456-426614174000",
    "def f(author: str, sort_key: int = 3) -> dict[str, int]: ...",
    "x = {'author': 'Ada', 'keyboard': 'qwerty'}",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "Ünïcödé, 漢字, \ud800, \x00",
]


@pytest.mark.parametrize(("secret", "shown"), TOKENS.items())
def test_a_secret_is_found_by_its_shape(secret: str, shown: str) -> None:
    assert scrub(secret) == shown
    assert scrub(f"a {secret} b") == f"a {shown} b"
    assert scrub(f"'{secret}',\n") == f"'{shown}',\n"


@pytest.mark.parametrize(("text", "shown"), TEXTS.items())
def test_credentials_in_text_are_found_by_what_stands_before_them(text: str, shown: str) -> None:
    assert scrub(text) == shown
    assert scrub(f"x\n{text}").startswith(f"x\n{shown}")


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize("text", [*TOKENS, *TEXTS])
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    assert scrub(scrub(text)) == scrub(text)


def test_card_numbers_need_a_right_check_digit_as_integers_too() -> None:
    assert redaction.is_card_number(4111111111111111)
    assert not redaction.is_card_number(4111111111111112)
    assert not redaction.is_card_number(1732290000000)
    assert not redaction.is_card_number(10**30)
    assert not redaction.is_card_number(-4111111111111111)


def test_e_mail_addresses_are_scrubbed_only_when_asked_for() -> None:
    text = "mail ada.lovelace+x@mail.example.org now"
    assert scrub(text) == text
    assert redaction.configure(patterns=["email"]) == []
    assert scrub(text) == "mail [redacted] now"


def test_added_patterns_are_scrubbed_beside_the_built_in_ones() -> None:
    assert redaction.configure(patterns=[r"\bEMP-\d{4}\b", r"^\d{9}$"]) == []
    assert scrub("EMP-1234 and sk-abcdefgh12345678") == "[redacted] and sk-[redacted]"
    assert scrub("123456789") == "[redacted]"
    assert scrub("a 123456789") == "a 123456789"


def test_added_keys_count_in_pairs_too() -> None:
    assert scrub("pin=1234") == "pin=1234"
    redaction.configure(keys=["pin"])
    assert scrub("pin=1234") == "pin=[redacted]"


def test_a_bad_pattern_is_left_out_and_told() -> None:
    problems = redaction.configure(patterns=["(", "x*", "EMP-[0-9]+"])
    assert len(problems) == 2
    assert problems[0].startswith("OTELKIT_REDACT_PATTERNS: '(' is no regular expression: ")
    assert problems[1].endswith("PATTERNS: 'x*' matches the empty text, hence everything")
    assert scrub("EMP-1 (xx") == "[redacted] (xx"


@given(before=st.text(), after=st.text(), secret=st.sampled_from(sorted(TOKENS)))
def test_a_secret_is_found_whatever_stands_around_it(before: str, after: str, secret: str) -> None:
    core = secret[12:-6]
    if core not in f"{before} {after}":
        assert core not in scrub(f"{before} {secret} {after}")


PIECES = st.sampled_from(
    [
        *(*TOKENS, *TEXTS, *ORDINARY, "password=", '"', "'", "\\", ":", "Bearer", "basic ", "4111"),
        *("-----BEGIN PRIVATE KEY-----", "[redacted]", "x", " ", "\n", "://a:", "@", "1111"),
    ]
)


@given(st.lists(st.lists(PIECES, max_size=4).map("".join), max_size=6))
def test_one_look_at_many_texts_misses_no_secret(texts: list[str]) -> None:
    if any(scrub(text) != text for text in texts):
        assert redaction.hold_secrets(texts)


def test_one_look_at_many_texts_heeds_anchored_patterns() -> None:
    redaction.configure(patterns=[r"^\d{9}$"])
    assert redaction.hold_secrets(["a", "123456789", "b"])
    assert not redaction.hold_secrets(["a", "1234567890", "b"])
