"""Every attribute and metric name, unit and bucket list that otelkit writes.

The standard names are those of the OpenTelemetry GenAI semantic conventions in the dialect that
``opentelemetry-util-genai`` 1.3b0 emits, so that spans of otelkit and of the official
``opentelemetry-instrumentation-genai-*`` packages look alike. They are literal strings because
``opentelemetry.semconv`` lacks many of them and marks the rest deprecated: a newer dialect is a
change of this file alone. What the conventions do not name lives under ``otelkit.``.
"""

from __future__ import annotations

# --- Attributes: GenAI conventions ---------------------------------------------------------------
OPERATION_NAME = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
WORKFLOW_NAME = "gen_ai.workflow.name"
CONVERSATION_ID = "gen_ai.conversation.id"

AGENT_NAME = "gen_ai.agent.name"
AGENT_ID = "gen_ai.agent.id"
AGENT_DESCRIPTION = "gen_ai.agent.description"
AGENT_VERSION = "gen_ai.agent.version"

TOOL_NAME = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
TOOL_DESCRIPTION = "gen_ai.tool.description"
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOOL_CALL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_CALL_RESULT = "gen_ai.tool.call.result"

REQUEST_MODEL = "gen_ai.request.model"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
REQUEST_TOP_P = "gen_ai.request.top_p"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_SEED = "gen_ai.request.seed"
REQUEST_STREAM = "gen_ai.request.stream"

RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"

USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
USAGE_REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"

# Not yet standard: the open proposal for cost in the GenAI conventions, experimental.
USAGE_COST_AMOUNT = "gen_ai.usage.cost.amount"
USAGE_COST_CURRENCY = "gen_ai.usage.cost.currency"
USAGE_COST_SOURCE = "gen_ai.usage.cost.source"

INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"

TOKEN_TYPE = "gen_ai.token.type"

# --- Attributes: general conventions -------------------------------------------------------------
ERROR_TYPE = "error.type"
EXCEPTION_TYPE = "exception.type"
EXCEPTION_MESSAGE = "exception.message"
EXCEPTION_STACKTRACE = "exception.stacktrace"
CODE_FILE_PATH = "code.file.path"
CODE_FUNCTION_NAME = "code.function.name"
CODE_LINE_NUMBER = "code.line.number"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
SERVICE_NAME = "service.name"
SERVICE_VERSION = "service.version"
SERVICE_INSTANCE_ID = "service.instance.id"
DEPLOYMENT_ENVIRONMENT = "deployment.environment.name"
USER_ID = "user.id"

# --- Attributes: HTTP and database conventions (stable) -------------------------------------------
HTTP_REQUEST_METHOD = "http.request.method"
HTTP_REQUEST_METHOD_ORIGINAL = "http.request.method_original"
HTTP_RESPONSE_STATUS_CODE = "http.response.status_code"
HTTP_ROUTE = "http.route"
URL_PATH = "url.path"
URL_QUERY = "url.query"
URL_SCHEME = "url.scheme"
CLIENT_ADDRESS = "client.address"
USER_AGENT = "user_agent.original"
NETWORK_PROTOCOL_NAME = "network.protocol.name"
NETWORK_PROTOCOL_VERSION = "network.protocol.version"

DB_SYSTEM_NAME = "db.system.name"
DB_NAMESPACE = "db.namespace"
DB_COLLECTION_NAME = "db.collection.name"
DB_OPERATION_NAME = "db.operation.name"
DB_OPERATION_BATCH_SIZE = "db.operation.batch.size"
DB_QUERY_TEXT = "db.query.text"
DB_RESPONSE_STATUS_CODE = "db.response.status_code"
DB_POOL_NAME = "db.client.connection.pool.name"
DB_CONNECTION_STATE = "db.client.connection.state"

# --- Attributes: otelkit's own --------------------------------------------------------------------
STAGE_NAME = "otelkit.stage.name"
INPUT = "otelkit.input"
INPUT_SIZE = "otelkit.input.size"
INPUT_TRUNCATED = "otelkit.input.truncated"
INPUT_TYPE = "otelkit.input.type"
INPUT_LENGTH = "otelkit.input.length"
OUTPUT = "otelkit.output"
OUTPUT_SIZE = "otelkit.output.size"
OUTPUT_TRUNCATED = "otelkit.output.truncated"
OUTPUT_TYPE = "otelkit.output.type"
OUTPUT_LENGTH = "otelkit.output.length"
CANCELLED = "otelkit.cancelled"
STOPPED_EARLY = "otelkit.stopped_early"
TAGS = "otelkit.tags"
REQUEST_ID = "otelkit.request.id"
OUTCOME = "otelkit.outcome"
KIND = "otelkit.kind"
NAME = "otelkit.name"
COMPONENT = "otelkit.component"
LEVEL = "otelkit.level"
LOGGER = "otelkit.logger"
SIGNAL = "otelkit.signal"
DESTINATION = "otelkit.destination"
LANGSMITH_RUN_URL = "otelkit.langsmith.run_url"

# --- Attributes: LangSmith, on the copies that go there -------------------------------------------
# Its guide "Trace with OpenTelemetry", section "Core LangSmith attributes".
LANGSMITH_KIND = "langsmith.span.kind"
LANGSMITH_NAME = "langsmith.trace.name"
LANGSMITH_PROJECT = "langsmith.trace.session_name"
LANGSMITH_TRACE_ID = "langsmith.trace.id"
LANGSMITH_RUN_ID = "langsmith.span.id"
LANGSMITH_PARENT_ID = "langsmith.span.parent_id"
LANGSMITH_ORDER = "langsmith.span.dotted_order"
LANGSMITH_IS_ROOT = "langsmith.is_root"
LANGSMITH_TAGS = "langsmith.span.tags"
LANGSMITH_USAGE = "langsmith.usage_metadata"
LANGSMITH_METADATA = "langsmith.metadata."  # and a key
PROMPT = "gen_ai.prompt"
COMPLETION = "gen_ai.completion"

# --- Values ---------------------------------------------------------------------------------------
OPERATION_WORKFLOW = "invoke_workflow"
OPERATION_AGENT = "invoke_agent"
OPERATION_TOOL = "execute_tool"
OPERATION_CHAT = "chat"

COMPLETED = "completed"
FAILED = "failed"
CANCELLED_OUTCOME = "cancelled"

TOKEN_INPUT = "input"
TOKEN_OUTPUT = "output"
TOKEN_CACHE_READ = "cache_read"
TOKEN_CACHE_WRITE = "cache_write"
TOKEN_REASONING = "reasoning"

# --- Metrics: name, unit, description -------------------------------------------------------------
CLIENT_OPERATION_DURATION = "gen_ai.client.operation.duration"
CLIENT_TIME_TO_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
CLIENT_TOKEN_USAGE = "gen_ai.client.token.usage"
LLM_COST = "otelkit.llm.cost"
LLM_TOKENS = "otelkit.llm.tokens"
AGENT_DURATION = "gen_ai.invoke_agent.duration"
TOOL_DURATION = "gen_ai.execute_tool.duration"
WORKFLOW_DURATION = "gen_ai.invoke_workflow.duration"
STAGE_DURATION = "otelkit.stage.duration"
ACTIVE = "otelkit.active"
HEALTH_STATUS = "otelkit.health.status"
EXPORT_ITEMS = "otelkit.export.items"
EXPORT_QUEUE = "otelkit.export.queue"
LOG_RECORDS = "otelkit.log.records"
LOG_SUPPRESSED = "otelkit.log.suppressed"
HTTP_SERVER_DURATION = "http.server.request.duration"
HTTP_SERVER_ACTIVE_REQUESTS = "http.server.active_requests"
HTTP_SERVER_REQUEST_SIZE = "http.server.request.body.size"
HTTP_SERVER_RESPONSE_SIZE = "http.server.response.body.size"
DB_CLIENT_DURATION = "db.client.operation.duration"
DB_CONNECTION_COUNT = "db.client.connection.count"
DB_CONNECTION_MAX = "db.client.connection.max"
DB_CONNECTION_WAIT = "db.client.connection.wait_time"
DB_CONNECTION_PENDING = "db.client.connection.pending_requests"
DB_CONNECTION_TIMEOUTS = "db.client.connection.timeouts"

UNITS = {
    CLIENT_OPERATION_DURATION: "s",
    CLIENT_TIME_TO_FIRST_CHUNK: "s",
    CLIENT_TOKEN_USAGE: "{token}",
    LLM_COST: "USD",
    LLM_TOKENS: "{token}",
    AGENT_DURATION: "s",
    TOOL_DURATION: "s",
    WORKFLOW_DURATION: "s",
    STAGE_DURATION: "s",
    ACTIVE: "{call}",
    HEALTH_STATUS: "1",
    EXPORT_ITEMS: "{item}",
    EXPORT_QUEUE: "{item}",
    LOG_RECORDS: "{record}",
    LOG_SUPPRESSED: "{record}",
    HTTP_SERVER_DURATION: "s",
    HTTP_SERVER_ACTIVE_REQUESTS: "{request}",
    HTTP_SERVER_REQUEST_SIZE: "By",
    HTTP_SERVER_RESPONSE_SIZE: "By",
    DB_CLIENT_DURATION: "s",
    DB_CONNECTION_COUNT: "{connection}",
    DB_CONNECTION_MAX: "{connection}",
    DB_CONNECTION_WAIT: "s",
    DB_CONNECTION_PENDING: "{request}",
    DB_CONNECTION_TIMEOUTS: "{timeout}",
}

# Of those whose names several modules use, or which are counted before there is an instrument.
DESCRIPTIONS = {
    CLIENT_OPERATION_DURATION: "Duration of calls of language models.",
    CLIENT_TIME_TO_FIRST_CHUNK: "Time until the first chunk of a streamed response.",
    CLIENT_TOKEN_USAGE: "Input and output tokens of a call of a language model.",
    LLM_COST: "Cost of calls of language models.",
    LLM_TOKENS: "Tokens of calls of language models, by type; details are parts of the totals.",
    AGENT_DURATION: "Duration of agents.",
    TOOL_DURATION: "Duration of tools.",
    WORKFLOW_DURATION: "Duration of workflows.",
    STAGE_DURATION: "Duration of stages.",
    ACTIVE: "Workflows, stages, agents, tools and LLM calls that run now.",
    LOG_RECORDS: "Log records, by level and by the first part of the logger's name.",
    LOG_SUPPRESSED: "Log records that the rate limit kept back.",
    DB_CONNECTION_PENDING: "Requests for connections of the pools that are not served yet.",
    DB_CONNECTION_TIMEOUTS: "Requests for connections of the pools that were given up.",
}


def _doubling(first: float, count: int) -> tuple[float, ...]:
    return tuple(round(first * 2**i, 4) for i in range(count))


_LLM_SECONDS = _doubling(0.01, 14)  # 0.01 … 81.92, the conventions' advice
_DB_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
_BODY_BYTES = tuple(256.0 * 4**i for i in range(10))
BUCKETS: dict[str, tuple[float, ...]] = {
    CLIENT_OPERATION_DURATION: _LLM_SECONDS,
    CLIENT_TIME_TO_FIRST_CHUNK: _LLM_SECONDS,
    CLIENT_TOKEN_USAGE: tuple(float(4**i) for i in range(14)),  # 1 … 67108864
    AGENT_DURATION: _doubling(0.1, 13),  # 0.1 … 409.6
    TOOL_DURATION: _LLM_SECONDS,
    WORKFLOW_DURATION: (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0),
    STAGE_DURATION: (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0),
    # The conventions' advice for HTTP and databases; they give none for sizes: 256 B … 64 MiB.
    HTTP_SERVER_DURATION: (
        *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25),
        *(0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    ),
    HTTP_SERVER_REQUEST_SIZE: _BODY_BYTES,
    HTTP_SERVER_RESPONSE_SIZE: _BODY_BYTES,
    DB_CLIENT_DURATION: _DB_SECONDS,
    DB_CONNECTION_WAIT: _DB_SECONDS,
}
