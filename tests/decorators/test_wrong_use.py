"""Mistakes in the use of decorators: said at decoration, and never felt in a call."""

from __future__ import annotations

import functools
import json
import sys

import pytest

from otelkit import (
    ConfigError,
    traced,
    traced_agent,
    traced_llm,
    traced_stage,
    traced_tool,
    traced_workflow,
)

DECORATORS = [traced, traced_workflow, traced_stage, traced_agent, traced_tool, traced_llm]


class TestOptions:
    @pytest.mark.parametrize("decorator", DECORATORS)
    def test_an_unknown_capture_mode(self, decorator):
        with pytest.raises(ConfigError, match="capture='loud': expected off, metadata, redacted"):
            decorator(capture="loud")

    @pytest.mark.parametrize("decorator", DECORATORS)
    @pytest.mark.parametrize("name", ["", " "])
    def test_an_empty_name(self, decorator, name):
        with pytest.raises(ConfigError, match=f"name={name!r}: expected a name"):
            decorator(name)
        with pytest.raises(ConfigError, match=f"name={name!r}: expected a name"):
            decorator(name=name)

    def test_an_unknown_type_of_tool(self):
        with pytest.raises(ConfigError, match="type='banana': expected function, extension or"):
            traced_tool(type="banana")

    @pytest.mark.parametrize("decorator", DECORATORS)
    @pytest.mark.parametrize(
        "value", [object(), {"a": 1}, None, 10**400, 2**63, "\ud800", [1, "a"], [[1]], {1}, 1j]
    )
    def test_an_attribute_value_that_no_span_can_carry(self, decorator, value):
        with pytest.raises(ConfigError, match=r"attributes\['mine'\] is of type"):
            decorator(attributes={"mine": value})

    @pytest.mark.parametrize("attributes", [{5: "x"}, {"": 1}, ["a"], "a", 7])
    def test_attributes_that_are_none(self, attributes):
        with pytest.raises(ConfigError, match="attributes"):
            traced(attributes=attributes)

    def test_attribute_values_of_every_kind(self, seen):
        given = {"a": "ä", "b": True, "c": -(2**63), "d": 1.5, "e": b"x", "f": [1, 2], "g": ()}
        traced("all", attributes=given)(lambda: None)()
        assert seen.attributes("all") == {**given, "f": (1, 2)}

    @pytest.mark.parametrize("options", [{"id": 1}, {"description": ["a"]}, {"version": 2}])
    def test_options_of_agents_are_text(self, options):
        with pytest.raises(ConfigError, match="expected a string"):
            traced_agent(**options)

    @pytest.mark.parametrize("options", [{"description": 1}, {"call_id": 5}])
    def test_options_of_tools_are_text(self, options):
        with pytest.raises(ConfigError, match="expected a string"):
            traced_tool(**options)


class TestClasses:
    def test_a_class_without_the_method(self):
        class Idle:
            pass

        with pytest.raises(ConfigError, match=r"Idle has neither run nor __call__.*with method="):
            traced_agent(Idle)
        with pytest.raises(ConfigError, match=r"Idle has neither.*: decorate its methods"):
            traced(Idle)
        with pytest.raises(ConfigError, match="method='solve': Idle has none of that name"):
            traced_agent(method="solve")(Idle)

    def test_a_method_that_cannot_be_called(self):
        class Agent:
            run = 5

        with pytest.raises(ConfigError, match="cannot trace 'int': it is not callable"):
            traced_agent(Agent)


class TestDerivedClasses:
    def test_an_inherited_method_is_one_span(self, seen):
        @traced_agent
        class Base:
            def run(self):
                return type(self).__name__

        @traced_agent
        class Derived(Base):
            pass

        assert Derived().run() == "Derived"
        assert seen.names == ["invoke_agent Derived"]
        Base().run()
        assert seen.names[1:] == ["invoke_agent Base"]

    def test_a_method_that_calls_the_bases_is_one_span(self, seen):
        @traced_agent
        class Base:
            def run(self, x):
                return [x]

        @traced_agent("specialist")
        class Derived(Base):
            def run(self, x):
                return [*super().run(x), "more"]

        class Further(Derived):
            def run(self, x):
                return [*super().run(x), "even more"]

        assert Further().run(1) == [1, "more", "even more"]
        assert seen.names == ["invoke_agent specialist"]

    def test_methods_of_every_kind(self, seen):
        import asyncio

        @traced_agent
        class Base:
            async def run(self):
                return 1

        @traced_agent
        class Derived(Base):
            async def run(self):
                return 1 + await super().run()

        @traced_stage
        class Numbers:
            def __call__(self):
                yield 1

        @traced_stage
        class More(Numbers):
            def __call__(self):
                yield from super().__call__()
                yield 2

        assert asyncio.run(Derived().run()) == 2
        assert list(More()()) == [1, 2]
        assert seen.names == ["invoke_agent Derived", "stage More"]

    def test_only_one_of_them_decorated(self, seen):
        @traced_agent
        class Base:
            def run(self):
                return 1

        class Derived(Base):
            def run(self):
                return 1 + super().run()

        class Plain:
            def run(self):
                return 1

        @traced_agent
        class Traced(Plain):
            pass

        assert Derived().run() == 2
        assert Traced().run() == 1
        assert Plain().run() == 1
        assert seen.names == ["invoke_agent Base", "invoke_agent Traced"]

    def test_the_bases_alone_is_a_span_of_its_own(self, seen):
        @traced_agent
        class Base:
            def run(self):
                return 1

        @traced_agent
        class Derived(Base):
            def run(self):
                return super().run() + Base().run()

            def fast(self):
                return super().run()

        assert Derived().fast() == 1
        assert seen.names == ["invoke_agent Base"]
        assert Derived().run() == 2
        assert seen.names[1:] == ["invoke_agent Base", "invoke_agent Derived"]
        assert Derived().fast() == 1
        assert seen.names[3:] == ["invoke_agent Base"]

    def test_a_call_of_another_kind_is_a_span_of_its_own(self, seen):
        @traced_agent
        class Base:
            def run(self):
                return 1

        @traced_workflow
        class Flow(Base):
            def run(self):
                return super().run()

        @traced_agent
        class Team(Flow):
            def run(self):
                return super().run()

        Flow().run()
        assert seen.names == ["invoke_agent Base", "invoke_workflow Flow"]
        Team().run()
        assert seen.names[2:] == ["invoke_workflow Flow", "invoke_agent Team"]

    def test_a_task_that_the_derived_class_leaves_behind_is_no_part_of_it(self, seen):
        import asyncio

        @traced_agent
        class Base:
            async def run(self):
                return 1

        @traced_agent
        class Derived(Base):
            async def run(self):
                return asyncio.create_task(super().run())

        async def main():
            return await (await Derived().run())

        assert asyncio.run(main()) == 1
        assert seen.names == ["invoke_agent Derived", "invoke_agent Base"]

    def test_classes_that_cannot_be_hashed(self, seen):
        class Meta(type):
            __hash__ = None

            def __eq__(cls, other):
                raise RuntimeError

        @traced_agent
        class Base:
            def run(self):
                return 1

        class Plain(Base, metaclass=Meta):
            pass

        @traced_agent
        class Derived(Base, metaclass=Meta):
            pass

        assert Plain().run() == Derived().run() == 1
        assert seen.names == ["invoke_agent Base", "invoke_agent Derived"]

    def test_two_decorators_on_one_class_are_two_spans(self, seen):
        @traced_workflow
        @traced_agent
        class Both:
            def run(self):
                return 1

        Both().run()
        assert seen.names == ["invoke_agent Both", "invoke_workflow Both"]


class TestTheObjectIsNeverCaptured:
    @pytest.fixture(autouse=True)
    def _full(self, seen, capturing):
        capturing("full")

    def shown(self, seen):
        return [json.loads(s.attributes.get("otelkit.input", "null")) for s in seen.spans]

    def test_whatever_the_first_parameter_is_called(self, seen):
        class Agent:
            @traced
            def this(this, x):
                return x

            @traced
            def underscored(_self, x):
                return x

            @classmethod
            @traced
            def made(klass, x):
                return x

        agent = Agent()
        agent.this(1)
        Agent.this(agent, x=2)
        agent.underscored(3)
        Agent.made(4)
        agent.made(5)
        assert self.shown(seen) == [{"x": n} for n in (1, 2, 3, 4, 5)]

    def test_of_a_decorated_class(self, seen):
        def solve(me, x):
            return x

        class Agent:
            run = solve

        traced_agent(Agent)().run(1)
        assert self.shown(seen) == [{"x": 1}]

    def test_of_a_derived_class(self, seen):
        class Agent:
            @traced
            def solve(this, x):
                return x

        class Derived(Agent):
            pass

        Derived().solve(1)
        assert self.shown(seen) == [{"x": 1}]

    def test_given_by_name(self, seen):
        class Agent:
            @traced
            def solve(self, x):
                return x

        Agent.solve(self=Agent(), x=1)
        assert self.shown(seen) == [{"x": 1}]

    def test_arguments_of_static_methods_and_functions_are(self, seen):
        class Agent:
            @staticmethod
            @traced
            def static(x):
                return x

            @traced
            @staticmethod
            def other(x):
                return x

        @traced
        def function(agent, x):
            return x

        Agent.static(1)
        Agent.other(2)
        function("a", 3)
        assert self.shown(seen) == [{"x": 1}, {"x": 2}, {"agent": "a", "x": 3}]

    def test_of_an_llm_call(self, seen):
        class Client:
            @traced_llm(provider="p")
            def ask(this, model, temperature=0.5):
                return model

        Client().ask("m")
        assert seen.attributes("chat m")["gen_ai.request.temperature"] == 0.5
        assert self.shown(seen) == [{"model": "m"}]


class TestNumbersBeyondMeasure:
    HUGE = 10**400

    @pytest.mark.parametrize("mode", ["metadata", "redacted", "full"])
    @pytest.mark.parametrize("digits", [400, sys.int_info.default_max_str_digits + 1])
    def test_arguments(self, seen, capturing, mode, digits):
        value = -(10**digits)
        capturing(mode)
        assert traced(lambda x: x)(value) == value
        assert traced_tool(lambda x: x)([value, {"a": value}])[0] == value
        assert len(seen.spans) == 2

    def test_of_a_request(self, seen):
        ask = traced_llm(provider="p", model="m")(lambda **request: None)
        ask(max_tokens=self.HUGE, temperature=self.HUGE, seed=2**63, top_p=1)
        attributes = seen.attributes("chat m")
        requested = {k: v for k, v in attributes.items() if k.startswith("gen_ai.request.")}
        assert requested == {"gen_ai.request.model": "m", "gen_ai.request.top_p": 1}

    def test_of_usage(self, seen):
        with traced_llm(provider="p", model="m") as call:
            call.record_usage(input_tokens=self.HUGE, cost=self.HUGE)
            call.record({"object": "chat.completion", "choices": [], "usage": {"prompt_tokens": 7}})
        assert seen.attributes("chat m")["gen_ai.usage.input_tokens"] == 7


def test_a_model_whose_name_is_no_valid_text(seen):
    traced_llm(provider="p")(lambda model: None)("m\ud800")
    assert seen.names == ["chat m\\ud800"]


def test_what_a_partial_hides_is_not_the_object(seen, capturing):
    capturing("full")
    traced("bound")(functools.partial(lambda a, b: a, 1))(2)
    assert json.loads(seen.attributes("bound")["otelkit.input"]) == {"b": 2}
