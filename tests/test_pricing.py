"""Cost of calls: equal to what ``genai-prices`` computes, overridable, and absent when unknown."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import genai_prices
import pytest
from genai_prices.data import providers

from otelkit import pricing
from otelkit.errors import ConfigError
from otelkit.pricing import Cost, table
from otelkit.usage import Usage

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
SMALL = Usage(input_tokens=1000, output_tokens=500)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test with prices, warnings and compiled rates of its own."""
    monkeypatch.setattr(pricing, "_overrides", {})
    monkeypatch.setattr(pricing, "_warned", {})
    monkeypatch.setattr(table, "_cache", {})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that stands at ``now`` until it is set."""
    clock = SimpleNamespace(now=NOW.timestamp())
    clock.time = lambda: clock.now
    monkeypatch.setattr(table, "time", clock)
    return clock


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def of_genai_prices(provider: str, model: str, usage: Usage, **context: str) -> Any:
    """What genai-prices itself computes; None if it has no such model."""
    try:
        return genai_prices.calc_price(
            genai_prices.Usage(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cache_read_tokens=usage.cache_read_tokens,
                cache_write_tokens=usage.cache_write_tokens,
                cache_write_1h_tokens=usage.cache_write_1h_tokens,
                output_reasoning_tokens=usage.reasoning_tokens,
            ),
            model,
            provider_id=provider,
            genai_request_timestamp=NOW,
            price_context=context or None,
        )
    except LookupError:
        return None


ALL_MODELS = [(provider.id, model.id) for provider in providers for model in provider.models]


@pytest.mark.parametrize(
    "usage",
    [
        Usage(),
        SMALL,
        Usage(100_000, 2_000, cache_read_tokens=60_000, cache_write_tokens=9_000),
        Usage(400_000, 9_000, 100_000, 50_000, 4_000, cache_write_1h_tokens=20_000),
    ],
    ids=["nothing", "small", "cached", "large"],
)
def test_every_model_of_the_table_costs_what_genai_prices_computes(
    usage: Usage, clock: Any
) -> None:
    compared = 0
    for provider, model in ALL_MODELS:
        expected = of_genai_prices(provider, model, usage)
        cost = pricing.cost(provider, model, usage)
        if cost is None:
            units = set() if expected is None else set(vars(expected.model_price))
            assert expected is None or units, (provider, model)  # no unit at all is free
            assert not units & {"input_mtok", "output_mtok", "requests_kcount"}, (provider, model)
            continue
        compared += 1
        assert cost.source == "local"
        for ours, theirs in (
            (cost.amount, expected.total_price),
            (cost.input, expected.input_price),
            (cost.output, expected.output_price),
        ):
            assert math.isclose(ours or 0.0, float(theirs), rel_tol=1e-12), (provider, model)
    assert compared > 0.9 * len(ALL_MODELS)


@pytest.mark.parametrize(
    ("provider", "model", "tier", "context"),
    [
        ("openai", "gpt-5-mini", "batch", {"processing": "batch"}),
        ("openai", "gpt-5-mini", "flex", {"service_tier": "flex"}),
        ("openai", "gpt-5-mini", "priority", {"service_tier": "priority"}),
        ("anthropic", "claude-sonnet-4-5", "batch", {"processing": "batch"}),
        ("google", "gemini-2.5-pro", "batch", {"processing": "batch"}),
    ],
)
def test_batch_and_other_tiers_have_prices_of_their_own(
    provider: str, model: str, tier: str, context: dict[str, str], clock: Any
) -> None:
    cost = pricing.cost(provider, model, SMALL, service_tier=tier)
    standard = pricing.cost(provider, model, SMALL)
    assert cost is not None
    assert standard is not None
    expected = of_genai_prices(provider, model, SMALL, **context)
    assert math.isclose(cost.amount, float(expected.total_price), rel_tol=1e-12)
    assert cost.amount != standard.amount


@pytest.mark.parametrize("tier", ["standard", "auto", "a tier of tomorrow"])
def test_an_unknown_tier_costs_the_standard_price(tier: str, clock: Any) -> None:
    model = ("anthropic", "claude-sonnet-4-5", SMALL)
    assert pricing.cost(*model, service_tier=tier) == pricing.cost(*model)


@pytest.mark.parametrize(
    ("provider", "model", "same_as"),
    [
        ("azure.ai.openai", "gpt-4o-2024-08-06", ("azure", "gpt-4o")),
        ("azure.ai.inference", "gpt-4o", ("azure", "gpt-4o")),
        ("gcp.gemini", "gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("gcp.gen_ai", "models/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", None),
        ("x_ai", "grok-4-0709", ("x-ai", "grok-4-0709")),
        ("mistral_ai", "mistral-large-latest", ("mistral", "mistral-large-latest")),
        ("perplexity", "sonar", ("perplexity", "sonar")),
        ("deepseek", "deepseek-chat", ("deepseek", "deepseek-chat")),
        ("groq", "llama-3.3-70b-versatile", ("groq", "llama-3.3-70b-versatile")),
        ("cohere", "command-r-plus", ("cohere", "command-r-plus")),
        ("OpenAI", "GPT-4o", ("openai", "gpt-4o")),
        ("litellm", "anthropic/claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        (None, "anthropic/claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        (None, "gpt-4o", ("openai", "gpt-4o")),
    ],
)
def test_the_names_of_the_conventions_find_their_provider(
    provider: str | None, model: str, same_as: tuple[str, str] | None, clock: Any
) -> None:
    cost = pricing.cost(provider, model, SMALL)
    assert cost is not None
    assert cost.amount > 0
    if same_as is not None:
        expected = of_genai_prices(*same_as, SMALL)
        assert math.isclose(cost.amount, float(expected.total_price), rel_tol=1e-12)


def test_a_price_that_depends_on_the_time_of_day_changes_at_its_minute(clock: Any) -> None:
    # DeepSeek's discount held outside 00:30 to 16:30 UTC.
    def at(hour: int, minute: int, second: int) -> float:
        clock.now = NOW.replace(hour=hour, minute=minute, second=second).timestamp()
        cost = pricing.cost("deepseek", "deepseek-chat", SMALL)
        assert cost is not None
        return cost.amount

    night, day = at(0, 29, 59), at(0, 30, 0)
    assert night < day
    assert at(0, 30, 1) == day
    assert at(16, 29, 59) == day
    assert at(16, 30, 0) == night


def test_a_price_is_looked_up_once(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pricing.cost("openai", "gpt-4o", SMALL)
    pricing.cost("ollama", "llama3.2", SMALL)
    monkeypatch.setattr(table, "_look_up", None)
    assert pricing.cost("openai", "gpt-4o", SMALL) is not None
    assert pricing.cost("ollama", "llama3.2", SMALL) is None


def test_compiled_prices_and_warnings_are_bounded(
    clock: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "_MAX_MODELS", 50)
    monkeypatch.setattr(pricing, "_MAX_WARNINGS", 20)
    for number in range(200):
        assert pricing.cost("nobody", f"model-{number}", SMALL) is None
    assert len(table._cache) <= 50
    assert len(warnings_of(caplog)) <= 21


def test_an_unknown_model_has_no_cost_and_one_warning(
    caplog: pytest.LogCaptureFixture, clock: Any
) -> None:
    for _ in range(3):
        assert pricing.cost("openai", "my-finetune", SMALL) is None
    assert pricing.cost("openai", None, SMALL) is None
    [warning] = warnings_of(caplog)
    assert "'my-finetune'" in warning
    assert "set_price" in warning


def test_many_threads_give_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    together = threading.Barrier(8)
    costs: list[Cost | None] = []

    def work() -> None:
        together.wait()
        costs.append(pricing.cost("openai", "my-finetune", SMALL))
        costs.append(pricing.cost("openai", "gpt-4o", SMALL))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(costs) == 16
    assert len(set(costs)) == 2
    assert len(warnings_of(caplog)) == 1


def test_a_model_that_is_priced_otherwise_than_by_tokens_has_no_cost(clock: Any) -> None:
    assert pricing.cost("groq", "whisper-large-v3", SMALL) is None


def test_a_model_that_is_known_to_be_free_costs_0(clock: Any) -> None:
    assert pricing.cost("openrouter", "qwen/qwq-32b:free", SMALL) == Cost(0.0, "local", 0.0, 0.0)


def test_the_requested_model_is_priced_when_the_response_model_is_unknown(
    clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    known = pricing.cost("openai", "gpt-4o", SMALL)
    assert pricing.cost("openai", "deployment-7", SMALL, fallback_model="gpt-4o") == known
    assert pricing.cost("openai", None, SMALL, fallback_model="gpt-4o") == known
    assert pricing.cost("openai", "gpt-4o", SMALL, fallback_model="my-alias") == known
    assert warnings_of(caplog) == []


def test_what_the_provider_reports_goes_before_the_table(clock: Any) -> None:
    cost = pricing.cost("openai", "gpt-4o", Usage(1000, 500, cost=0.25))
    assert cost == Cost(0.25, "provider", None, None)
    assert pricing.cost("nobody", "nothing", Usage(cost=0.0)) == Cost(0.0, "provider")


def test_a_price_of_ones_own_goes_before_everything(clock: Any) -> None:
    pricing.set_price("openai", "GPT-4o", input=1, output=10, cache_read=0.5, cache_write=2)
    usage = Usage(1_000_000, 100_000, 200_000, 100_000, 50_000, cost=99.0)
    cost = pricing.cost("openai", "gpt-4o", usage)
    assert cost is not None
    assert cost.source == "local"
    assert (cost.input, cost.output) == (pytest.approx(0.7 + 0.1 + 0.2), pytest.approx(1.0))
    assert cost.amount == pytest.approx(2.0)
    # One for the requested model goes before the table's for the response model.
    pricing.set_price("openai", "mine", input=0, output=0)
    assert pricing.cost("openai", "gpt-4o-2024-08-06", SMALL, fallback_model="mine") == Cost(
        0.0, "local", 0.0, 0.0
    )


def test_adding_floats_does_not_show() -> None:
    pricing.set_price("me", "m", input=0.3, output=0.7)
    used = [Usage(read, said) for read in range(1, 2000, 37) for said in range(1, 500, 13)]
    costs = [pricing.cost("me", "m", usage) for usage in used]
    assert all(cost is not None and len(str(cost.amount)) < 13 for cost in costs)


def test_cached_tokens_cost_as_input_where_no_price_of_their_own_is_set() -> None:
    pricing.set_price("me", "m", input=2, output=0)
    cost = pricing.cost("me", "m", Usage(1_000_000, 5, 300_000, 200_000))
    assert cost is not None
    assert cost.amount == pytest.approx(2.0, rel=1e-12)


def test_names_of_one_provider_share_its_prices() -> None:
    pricing.set_price("google", "my-gemini", input=1, output=1)
    assert pricing.cost("gcp.vertex_ai", "my-gemini", SMALL) is not None
    assert pricing.cost("openai", "my-gemini", SMALL) is None


def test_details_beyond_their_totals_never_make_a_cost_negative() -> None:
    pricing.set_price("me", "m", input=1, output=1)
    cost = pricing.cost("me", "m", Usage(10, 10, 1000, 1000, 1000, cache_write_1h_tokens=9999))
    assert cost is not None
    assert cost.amount > 0


def test_cost_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    pricing.set_price("me", "m", input=1, output=1)
    odd: Any = [["openai"], 7, object(), {}, b"x"]
    for value in odd:
        assert pricing.cost(value, value, SMALL) is None
        assert pricing.cost("me", "m", value) is None
    assert pricing.cost("me", "m", Usage("1", "2")) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("provider", "model", "prices", "complaint"),
    [
        ("", "m", {"input": 1, "output": 1}, "provider and model must be names"),
        ("p", None, {"input": 1, "output": 1}, "provider and model must be names"),
        ("p", "m", {"input": -1, "output": 1}, "input must be a number from 0 on"),
        ("p", "m", {"input": 1, "output": math.nan}, "output must be a number from 0 on"),
        ("p", "m", {"input": math.inf, "output": 1}, "input must be a number from 0 on"),
        ("p", "m", {"input": 10**400, "output": 1}, "input must be a number from 0 on"),
        ("p", "m", {"input": "1", "output": 1}, "input must be a number from 0 on"),
        ("p", "m", {"input": True, "output": 1}, "input must be a number from 0 on"),
        ("p", "m", {"input": None, "output": 1}, "the price 'input' is missing"),
        ("p", "m", {"input": 1, "output": 1, "cache_read": [1]}, "cache_read must be a number"),
    ],
)
def test_a_bad_price_is_a_clear_error(
    provider: Any, model: Any, prices: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        pricing.set_price(provider, model, **prices)
    assert pricing._overrides == {}


JSON = '{"openai": {"my-model": {"input": 0.5, "output": 1.5, "cache_read": 0.05}}}'
TOML = '[openai.my-model]\ninput = 0.5\noutput = 1.5\n["x_ai"."grok.1"]\ninput = 1\noutput = 2\n'


def test_prices_are_loaded_from_json(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(JSON)
    pricing.load(str(file))
    cost = pricing.cost("openai", "my-model", Usage(1_000_000, 1_000_000, 1_000_000))
    assert cost is not None
    assert (cost.input, cost.output) == (pytest.approx(0.05), pytest.approx(1.5))


def test_prices_are_loaded_from_toml_where_python_or_tomli_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(TOML)
    if sys.version_info >= (3, 11):
        pricing.load(str(file))
        cost = pricing.cost("x_ai", "grok.1", Usage(1_000_000, 1_000_000))
        assert cost is not None
        assert cost.amount == pytest.approx(3.0)
    monkeypatch.setitem(sys.modules, "tomllib", None)
    monkeypatch.setitem(sys.modules, "tomli", None)
    with pytest.raises(ConfigError, match=r"TOML needs Python 3\.11 .* \.json file works"):
        pricing.load(str(file))


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("p.yaml", "", r"read from a \.json or \.toml file"),
        ("p.json", "{", "not valid JSON"),
        ("p.json", "[1]", "the file must map names"),
        ("p.json", '{"openai": 1}', "'openai' must map names"),
        ("p.json", '{"openai": {"m": 1}}', "'openai', 'm' must map names"),
        ("p.json", '{"openai": {"m": {"input": 1}}}', "'output' is missing"),
        ("p.json", '{"o": {"m": {"input": 1, "output": 1, "in": 2}}}', "unknown price 'in'"),
        ("p.json", '{"o": {"m": {"input": NaN, "output": 1}}}', "input must be a number"),
        ("p.json", '{"o": {"": {"input": 1, "output": 1}}}', "must be names"),
    ],
)
def test_a_bad_file_is_a_clear_error_and_sets_nothing(
    name: str, content: str, complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(ConfigError, match=complaint) as caught:
        pricing.load(str(file))
    assert str(file) in str(caught.value)
    assert pricing._overrides == {}


def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        pricing.load(str(tmp_path / "absent.json"))
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid JSON"):
        pricing.load(str(binary))


def test_all_prices_of_a_file_are_set_or_none(tmp_path: Path) -> None:
    prices: dict[str, Any] = {"good": {"input": 1, "output": 1}, "bad": {"input": -1, "output": 1}}
    file = tmp_path / "p.json"
    file.write_text(json.dumps({"me": prices}))
    with pytest.raises(ConfigError):
        pricing.load(str(file))
    assert pricing.cost("me", "good", SMALL) is None


def test_the_table_is_loaded_once_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "_loading", None)
    table.snapshot.cache_clear()
    pricing.preload()
    thread = pricing._loading
    assert thread is not None
    pricing.preload()
    assert pricing._loading is thread
    thread.join()
    assert table.snapshot.cache_info().currsize == 1


LLM = """
@otelkit.traced_llm(provider="openai", model="gpt-4o")
def ask():
    pass
"""


@pytest.mark.parametrize(
    ("program", "loading"),
    [
        (f"{LLM}\notelkit.setup()", True),
        (f"otelkit.setup()\n{LLM}", True),
        (LLM, False),
        ("otelkit.setup()", False),
    ],
    ids=["decorated, set up", "set up, decorated", "not set up", "no LLM calls"],
)
def test_the_first_llm_call_need_not_wait_for_the_table(program: str, loading: bool) -> None:
    ended = f"""
from otelkit import pricing
assert (pricing._loading is not None) is {loading}
if {loading}:
    pricing._loading.join()
"""
    done = subprocess.run(
        [sys.executable, "-c", f"import otelkit\n{program}{ended}"],
        env={**os.environ, "OTEL_SDK_DISABLED": "false", "OTEL_TRACES_EXPORTER": "none",
             "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_child_forked_while_the_table_loads_can_price() -> None:
    program = """
import os, sys
from otelkit import pricing
from otelkit.usage import Usage

pricing.preload()
child = os.fork()
found = pricing.cost("openai", "gpt-4o", Usage(1000, 1000))
if child == 0:
    os._exit(0 if found else 1)
sys.exit(os.waitpid(child, 0)[1])
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


@pytest.fixture
def without_table(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    table.snapshot.cache_clear()
    yield
    table.snapshot.cache_clear()


def test_without_genai_prices_there_is_one_warning_and_ones_own_prices_hold(
    without_table: None, caplog: pytest.LogCaptureFixture
) -> None:
    pricing.set_price("me", "m", input=1, output=1)
    assert pricing.cost("openai", "gpt-4o", SMALL) is None
    assert pricing.cost("openai", "gpt-5", SMALL) is None
    assert pricing.cost("me", "m", SMALL) is not None
    [warning] = warnings_of(caplog)
    assert "otelkit[prices]" in warning


ALONE = """
import os, sys, threading
def no_network(event, args):
    if event in {"socket.connect", "socket.getaddrinfo"}:
        os._exit(3)
sys.addaudithook(no_network)
from otelkit import pricing
from otelkit.usage import Usage
assert "genai_prices" not in sys.modules
before = pricing.cost("openai", "gpt-4o", Usage(1000, 500))
assert before and "genai_prices" in sys.modules
assert threading.active_count() == 1, threading.enumerate()
child = os.fork()
if child == 0:
    same = pricing.cost("openai", "gpt-4o", Usage(1000, 500)) == before
    other = pricing.cost("anthropic", "claude-sonnet-4-5", Usage(1000, 500))
    os._exit(0 if same and other else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_the_table_is_imported_when_needed_never_fetched_and_survives_a_fork() -> None:
    subprocess.run([sys.executable, "-c", ALONE], check=True)
