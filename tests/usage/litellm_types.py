"""The response classes of LiteLLM, or stand-ins for them where it is not installed.

LiteLLM pins an older ``openai`` than the other tests use, so both are rarely in one environment.
The stand-ins have what counts: the module, the base class with extra fields, the private attribute.
"""

from __future__ import annotations

from typing import Any

try:
    from litellm.types.utils import ModelResponse, ModelResponseStream, Usage
except ImportError:
    from pydantic import BaseModel, ConfigDict

    class _Object(BaseModel):
        model_config = ConfigDict(extra="allow", protected_namespaces=())
        _hidden_params: dict[str, Any] = {}

    class Usage(_Object):
        prompt_tokens: int = 0
        completion_tokens: int = 0

    class ModelResponse(_Object):
        usage: Usage | None = None

    class ModelResponseStream(_Object):
        usage: Usage | None = None

    for _class in (Usage, ModelResponse, ModelResponseStream):
        _class.__module__ = "litellm.types.utils"

__all__ = ["ModelResponse", "ModelResponseStream", "Usage"]
