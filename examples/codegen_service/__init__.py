"""A service that turns a description of tables into SQLAlchemy models, with a few agents.

Read it in this order: `app` (routes and the call of `otelkit.setup`), `workflow` (the four
stages), `agents`, `tools`, `llm`, then `schema` and `database`. `model_server` stands in for
the model where there is no API key. Run it with `python -m examples.codegen_service`.
"""
