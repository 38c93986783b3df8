"""What the applications make; apart from them, for it takes seconds to import what they need."""

from __future__ import annotations

USAGE = {"input_tokens": 12, "output_tokens": 3, "total_tokens": 15}  # of the fake model

GRAPH = """\
chain question
  chain researcher
    chain LangGraph
      chain find
        retriever retrieve
          tool look_up
            chain clean
      chain answer
        chain writer
          llm GenericFakeChatModel"""

COUNT = 12  # requests at once, of either kind

# The runs of each, those below a run in alphabetical order.
AT_ONCE = """\
chain {}
  chain LangGraph
    chain one
      chain left
        chain note
          chain note
            tool write
        chain note
          chain note
            tool write
    chain other
      chain tell
        chain telling
          chain note
            tool write"""
