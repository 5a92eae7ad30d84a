"""Every metric of `GET /metrics`: its name, type, meaning, labels and buckets.

The number of labels is bounded. `endpoint` is the path of a route, and `model` the tag of a model that this
server has. Both are `other` for anything else. Keys are no label: see the log for who sent a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

OTHER = "other"


class Definition(NamedTuple):
    "A metric. `buckets` are the upper limits of a histogram's buckets."

    name: str
    type: Literal["counter", "gauge", "histogram", "info"]
    help: str
    labels: Sequence[str] = ()
    buckets: Sequence[float] = ()


# In seconds. A local model begins to answer within 0.1 s, or after it has read a long prompt.
FIRST_TOKEN_SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
# From a large model on a processor to a small one on a fast GPU.
TOKEN_RATES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512)
QUEUE_SECONDS = (0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)
TURN_SECONDS = (0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320, 640, 1280)

HTTP_REQUESTS = Definition(
    "gpt_oss_http_requests_total",
    "counter",
    "HTTP requests, by the status with which their answer began",
    ("endpoint", "method", "status"),
)
TURNS = Definition(
    "gpt_oss_turns_total",
    "counter",
    "Model calls that ended, by the HTTP status that fits their end: 499 if the client disconnected",
    ("endpoint", "model", "status"),
)
TURN_DURATION = Definition(
    "gpt_oss_turn_duration_seconds",
    "histogram",
    "Time that a model call took, without its time in the queue. Only calls with status 200 count",
    ("model",),
    TURN_SECONDS,
)
FIRST_TOKEN = Definition(
    "gpt_oss_time_to_first_token_seconds",
    "histogram",
    "Time until the first token of a model call, with its time in the queue",
    ("model",),
    FIRST_TOKEN_SECONDS,
)
TOKEN_RATE = Definition(
    "gpt_oss_tokens_per_second",
    "histogram",
    "Speed at which the engine generated the tokens of a turn, if it reports that",
    ("model",),
    TOKEN_RATES,
)
TOKENS = Definition(
    "gpt_oss_tokens_total",
    "counter",
    "Tokens, by kind: `prompt`, `cached` (what the engine had cached of the prompt, if it reports it), "
    "`reasoning` or `answer`. Tool calls belong to the answer",
    ("model", "kind"),
)
NOTES = Definition(
    "gpt_oss_notes_total",
    "counter",
    "Repairs, retries, cuts and other notes of turns, by kind",
    ("kind",),
)
QUEUE_WAIT = Definition(
    "gpt_oss_queue_wait_seconds", "histogram", "Time that a model call waited in the queue", (), QUEUE_SECONDS
)
QUEUE_RUNNING = Definition("gpt_oss_queue_running", "gauge", "Model calls that run")
QUEUE_WAITING = Definition("gpt_oss_queue_waiting", "gauge", "Requests that wait for a model call to end")
ENGINE_UP = Definition(
    "gpt_oss_engine_up",
    "gauge",
    "1 if the engine of the default model would answer a prompt, otherwise 0",
    ("engine", "model"),
)
ENGINE_LOADED = Definition(
    "gpt_oss_engine_model_loaded",
    "gauge",
    "1 if the default model is in memory, otherwise 0",
    ("engine", "model"),
)
LOG_WAITING = Definition(
    "gpt_oss_log_waiting_turns", "gauge", "Turns that wait in the spool until they can be logged"
)
LOG_IN_MEMORY = Definition(
    "gpt_oss_log_memory_turns",
    "gauge",
    "Turns that wait only in memory: they are lost if the server is killed",
)
LOG_UNUSABLE = Definition("gpt_oss_log_unusable_files", "gauge", "Files in the spool that cannot be logged")
LOG_PROBLEMS = Definition(
    "gpt_oss_log_problems",
    "gauge",
    "Problems of the log: those that `/health` lists",
)
LOG_BYTES = Definition("gpt_oss_log_bytes", "gauge", "Size of the log's database")
BUILD = Definition(
    "gpt_oss_build_info", "info", "Always 1, with the versions as labels", ("version", "llm", "python")
)

METRICS = (
    HTTP_REQUESTS,
    TURNS,
    TURN_DURATION,
    FIRST_TOKEN,
    TOKEN_RATE,
    TOKENS,
    NOTES,
    QUEUE_WAIT,
    QUEUE_RUNNING,
    QUEUE_WAITING,
    ENGINE_UP,
    ENGINE_LOADED,
    LOG_WAITING,
    LOG_IN_MEMORY,
    LOG_UNUSABLE,
    LOG_PROBLEMS,
    LOG_BYTES,
    BUILD,
)
