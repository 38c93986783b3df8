"""The names that LiteLLM and LangChain have for providers, as ``gen_ai.provider.name``."""

from __future__ import annotations

_STANDARD_NAMES = {
    "anthropic-bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "gemini": "gcp.gemini",
    "google_anthropic_vertex": "gcp.vertex_ai",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "ibm": "ibm.watsonx.ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}


def standard_name(name: object) -> str | None:
    """The name of the GenAI conventions for a provider; names they do not know stay as they are."""
    return _STANDARD_NAMES.get(name, name) if isinstance(name, str) and name else None
