"""Which keys are sensitive: both sides of every rule."""

from __future__ import annotations

import pytest

from otelkit import redaction


def words(text: str) -> list[str]:
    return text.split()


SENSITIVE = words("""
password passwd pwd passphrase passcode secret token cookie authorization credential credentials
api_key apikey api-key X-API-Key xApiKey openai_api_key OPENAI_API_KEY
access_token accessToken ACCESSTOKEN refresh_token refresh-token id_token csrfToken xsrf-token
auth_token x-auth-token bearer_token session_token bot.token github_token hf_token
db_password PasswordHash new_password password2 user-pwd USERPWD
client_secret clientSecret secret_key AWS_SECRET_ACCESS_KEY aws_access_key_id webhook_secret
private_key privateKey ssh_key signing_key encryption-key account_key
Set-Cookie cookies Proxy-Authorization auth basic_auth session jwt cvv X-Amz-Signature
""")

HARMLESS = words("""
input_tokens output_tokens max_tokens maxTokens total_tokens tokens token_count tokenCount
token_type token_usage token_limit n_tokens tokenizer tokenize prompt_tokens_details
max_token next_page_token nextPageToken pageToken eos_token bos_token stop_token first_token
time_to_first_token
author authors authority authored coauthor secretary key keys keyboard monkey primary_key sort_key
foreign_key session_id sessions passenger pass compass bypass name user email id content role
text arguments model path status type value header headers cooking
""")


@pytest.mark.parametrize("key", [*SENSITIVE, "api key"])
def test_the_value_under_a_sensitive_key_is_to_be_hidden(key: str) -> None:
    assert redaction.is_sensitive(key)
    assert not redaction.admit(key)
    assert key not in redaction.harmless_keys


@pytest.mark.parametrize("key", HARMLESS)
def test_a_harmless_key_is_left_alone_and_remembered(key: str) -> None:
    assert not redaction.is_sensitive(key)
    assert redaction.admit(key)
    assert key in redaction.harmless_keys
    assert not redaction.is_sensitive(key)


def test_added_keys_match_as_whole_words_in_any_spelling() -> None:
    assert redaction.configure(keys=["ssn", "internal-note"]) == []
    for key in ("ssn", "SSN", "customer_ssn", "customerSsn", "ssn-2", "internalNote"):
        assert redaction.is_sensitive(key), key
    for key in ("classname", "internal", "note"):
        assert not redaction.is_sensitive(key), key
    assert redaction.is_sensitive("password")


def test_configuring_again_forgets_what_was_added_and_what_was_remembered() -> None:
    assert redaction.admit("ssn")
    redaction.configure(keys=["ssn"])
    assert redaction.is_sensitive("ssn")
    assert "ssn" not in redaction.harmless_keys
    redaction.configure()
    assert not redaction.is_sensitive("ssn")


def test_a_key_without_letters_is_a_problem_and_hides_nothing() -> None:
    problems = redaction.configure(keys=["--", "pin"])
    assert problems == ["OTELKIT_REDACT_KEYS: '--' has no letter or digit"]
    assert redaction.is_sensitive("pin")
    assert not redaction.is_sensitive("name")


def test_a_key_that_is_a_secret_itself_is_not_harmless() -> None:
    assert not redaction.admit("sk-proj-0123456789abcdef")


def test_keys_remembered_do_not_add_up() -> None:
    for number in range(10_000):
        redaction.admit(f"name {number}")
    assert len(redaction.harmless_keys) < 5_000


def test_a_long_key_is_judged_by_its_beginning_and_not_remembered() -> None:
    assert redaction.is_sensitive("password" + "x" * 5_000_000)
    long = "x" * 5_000_000
    assert not redaction.is_sensitive(long)
    assert not redaction.admit(long)
