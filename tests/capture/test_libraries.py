"""What the values of libraries look like; torch by a stand-in, since it is too large to install."""

from __future__ import annotations

import subprocess
import sys
import types
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pydantic
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from tests.capture.reading import read


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    user: str
    password: str = "hunter2"
    key: pydantic.SecretStr = pydantic.SecretStr("hunter2")
    inner: Any = None

    @pydantic.model_serializer
    def serialize(self) -> dict[str, Any]:
        raise KeyboardInterrupt

    @pydantic.computed_field
    @property
    def computed(self) -> str:
        raise KeyboardInterrupt


def test_pydantic_models_are_read_without_their_serializers() -> None:
    shown = read(Model(user="ada", inner=Model(user="eve"), more={"token": "hunter2"}))
    fields = {"user": "ada", "password": "[redacted]", "key": "<pydantic.types.SecretStr>"}
    inner = {**fields, "user": "eve", "inner": None}
    assert shown == {**fields, "inner": inner, "more": {"token": "[redacted]"}}


def test_models_of_pydantic_1_are_read_too() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pydantic import v1

        class Old(v1.BaseModel):
            user: str
            token: str

    assert read(Old(user="ada", token="abc")) == {"user": "ada", "token": "[redacted]"}


def test_a_class_that_only_claims_to_be_pydantic_is_unknown() -> None:
    fake = type("BaseModel", (), {"__module__": "pydantic.main"})()
    fake.__dict__["secret"] = 1
    assert read(fake) == "<pydantic.main.BaseModel>"


def test_arrays_are_told_by_shape_and_type() -> None:
    assert read(np.zeros((3, 4))) == "<numpy.ndarray shape=(3, 4) dtype=float64>"
    assert read(np.zeros(2, dtype=[("a", "i4")])) == "<numpy.ndarray shape=(2,) dtype=void32>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.int64(5), 5), (np.float32(0.5), 0.5), (np.float64(0.5), 0.5), (np.bool_(True), True),
        (np.float64("nan"), "nan"), (np.str_("a"), "a"), (np.complex128(1j), "1j"),
        (np.datetime64("2025-03-01"), "<numpy.datetime64>"),
        (np.bytes_(b"ab"), "<numpy.bytes_ len=2>"),
    ],
)  # fmt: skip
def test_numpy_scalars_are_plain_values(value: object, shown: object) -> None:
    assert read(value) == shown


def test_frames_and_series_are_told_by_shape_and_types() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [3, 4]})
    name = f"{pd.DataFrame.__module__}.DataFrame"
    assert read(frame) == f"<{name} shape=(2, 3) dtypes=int64, {frame['b'].dtype}>"
    wide = pd.DataFrame(np.zeros((1, 1000)))
    assert read(wide) == f"<{name} shape=(1, 1000)>"
    assert read(frame["a"]) == f"<{pd.Series.__module__}.Series shape=(2,) dtype=int64>"
    assert read(pd.Timestamp("2025-03-01 10:00")) == "2025-03-01T10:00:00"


def test_tensors_are_told_by_shape_and_type(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = types.ModuleType("torch")
    torch.Tensor = type(  # type: ignore[attr-defined]
        "Tensor", (), {"__module__": "torch", "shape": (2, 3), "dtype": np.dtype("float32")}
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert read(torch.Tensor()) == "<torch.Tensor shape=(2, 3) dtype=float32>"
    sub = type("Sub", (torch.Tensor,), {"__module__": "app"})
    assert read(sub()) == "<app.Sub>"


def test_langchain_messages_are_their_role_content_and_calls() -> None:
    call = {"name": "login", "args": {"password": "hunter2"}, "id": "1", "type": "tool_call"}
    answer = AIMessage("hi", tool_calls=[call])
    assert read(HumanMessage("hello")) == {"role": "human", "content": "hello"}
    assert read(answer) == {
        "role": "ai",
        "content": "hi",
        "tool_calls": [{**call, "args": {"password": "[redacted]"}}],
    }
    assert read(ToolMessage("done", tool_call_id="1")) == {
        "role": "tool",
        "content": "done",
        "tool_call_id": "1",
    }


def test_nothing_is_imported_to_look_at_a_value() -> None:
    program = (
        "import sys; from otelkit.capture import encode; encode([object(), {1: 2}, ValueError()]);"
        "print([m for m in ('numpy', 'pandas', 'torch', 'pydantic', 'langchain_core')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
