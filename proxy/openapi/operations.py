"""What each route of the API does, answers and fails with. A test compares the rows with the routes.

Request bodies and parameters are not here: they are read from the routes themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from ..api.ollama.request import LOGGED_ENDPOINTS
from ..api.ollama.route import CHANGES, OPEN
from . import anthropic, chat, others, responses
from .answer import Deleted

# The method, and the path as OpenAPI writes it.
OperationKey = tuple[str, str]

STATUSES = {
    400: "The request is invalid. For a client of another host name: the `Host` header is",
    401: "The server requires a key, and the request has none that it knows",
    403: "The request came from another host name or web page, or would change models",
    404: "The model, or the object that the path names, does not exist",
    408: "The body arrived too slowly",
    409: "Another request is adding to the same conversation",
    413: "The body is too long",
    415: "The body is compressed with something else than gzip, deflate, br or zstd",
    500: "The server made a mistake",
    502: "The engine failed, or its answer cannot be used",
    503: "The engine, the queue or the log is not available at the moment",
    529: "The engine or the queue is not available at the moment",
}
ALWAYS = frozenset({400, 401, 403, 500})
READ = ALWAYS | {404, 503}
BODY = ALWAYS | {408, 413, 415, 503}
WRITE = BODY | {404, 409}
GENERATE = WRITE | {502}

# Ollama's endpoints whose answer is a stream of lines by default.
STREAMED = {"chat", "generate", "create", "pull", "push"}


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request does, and the models of its answer, and of one event if the answer can be streamed.

    `errors` are the statuses of errors, `answers` those of answers. Clients of Anthropic's API get the
    `other_answer`. An answer that `has_lines` can be streamed as lines of JSON. `body` is only for routes
    that do not have the model of theirs. An operation that is `relayed` passes on what Ollama answers, with
    any status.
    """

    tag: str
    summary: str
    answer: type[BaseModel] | None = None
    errors: frozenset[int] = READ
    event: type[BaseModel] | None = None
    has_lines: bool = False
    media_types: tuple[str, ...] = ("application/json",)
    answers: Mapping[int, str] = field(default_factory=lambda: {200: "The answer"})
    other_answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    relayed: bool = False


CHAT, COMPLETION = "/v1/chat/completions", "/v1/chat/completions/{completion_id}"
RESPONSES, RESPONSE = "/v1/responses", "/v1/responses/{response_id}"
CONVERSATIONS, CONVERSATION = "/v1/conversations", "/v1/conversations/{conversation_id}"
ITEMS = f"{CONVERSATION}/items"
MODELS = "/v1/models"

OPENAI_OPERATIONS: Mapping[OperationKey, Operation] = {
    ("POST", CHAT): Operation(
        "Chat completions",
        "Create a chat completion",
        chat.ChatCompletion,
        GENERATE,
        chat.ChatCompletionChunk,
    ),
    ("GET", CHAT): Operation(
        "Chat completions", "List stored chat completions", chat.StoredChatCompletionList
    ),
    ("GET", COMPLETION): Operation(
        "Chat completions", "Retrieve a stored chat completion", chat.StoredChatCompletion
    ),
    ("POST", COMPLETION): Operation(
        "Chat completions", "Replace the metadata of a stored completion", chat.StoredChatCompletion, WRITE
    ),
    ("DELETE", COMPLETION): Operation("Chat completions", "Delete a stored chat completion", Deleted),
    ("GET", f"{COMPLETION}/messages"): Operation(
        "Chat completions", "List the messages that a completion answers", chat.StoredMessageList
    ),
    ("POST", "/v1/completions"): Operation(
        "Completions", "Complete a text", chat.Completion, GENERATE, chat.Completion
    ),
    ("POST", RESPONSES): Operation(
        "Responses",
        "Create a response; the same path is a WebSocket, too",
        responses.Response,
        GENERATE,
        responses.ResponseEvent,
    ),
    ("GET", RESPONSE): Operation(
        "Responses",
        "Retrieve a response, or stream its events",
        responses.Response,
        READ,
        responses.ResponseEvent,
    ),
    ("DELETE", RESPONSE): Operation("Responses", "Delete a response", Deleted),
    ("POST", f"{RESPONSE}/cancel"): Operation(
        "Responses", "Cancel a response in the background", responses.Response
    ),
    ("GET", f"{RESPONSE}/input_items"): Operation(
        "Responses", "List the items that a response answers", responses.ItemList
    ),
    ("POST", f"{RESPONSES}/input_tokens"): Operation(
        "Responses", "Count the tokens of an input", responses.InputTokens, GENERATE
    ),
    ("POST", f"{RESPONSES}/compact"): Operation(
        "Responses", "Replace a conversation by a summary", responses.CompactedResponse, GENERATE
    ),
    ("POST", CONVERSATIONS): Operation(
        "Conversations", "Create a conversation", responses.Conversation, WRITE
    ),
    ("GET", CONVERSATION): Operation("Conversations", "Retrieve a conversation", responses.Conversation),
    ("POST", CONVERSATION): Operation(
        "Conversations", "Replace the metadata of a conversation", responses.Conversation, WRITE
    ),
    ("DELETE", CONVERSATION): Operation("Conversations", "Delete a conversation", Deleted),
    ("GET", ITEMS): Operation("Conversations", "List the items of a conversation", responses.ItemList),
    ("POST", ITEMS): Operation("Conversations", "Add items to a conversation", responses.ItemList, WRITE),
    ("GET", f"{ITEMS}/{{item_id}}"): Operation("Conversations", "Retrieve an item", responses.Item),
    ("DELETE", f"{ITEMS}/{{item_id}}"): Operation("Conversations", "Delete an item", responses.Conversation),
    ("POST", "/v1/embeddings"): Operation("Embeddings", "Embed texts", others.EmbeddingList, GENERATE),
    ("GET", MODELS): Operation(
        "Models", "List the models", others.ModelList, READ | {529}, other_answer=anthropic.AnthropicModelList
    ),
    ("GET", f"{MODELS}/{{name}}"): Operation(
        "Models", "Retrieve a model", others.Model, READ | {529}, other_answer=anthropic.AnthropicModel
    ),
    ("DELETE", f"{MODELS}/{{name}}"): Operation(
        "Models", "Refused: models cannot be deleted here", answers={}
    ),
}
ANTHROPIC_OPERATIONS: Mapping[OperationKey, Operation] = {
    ("POST", "/v1/messages"): Operation(
        "Messages",
        "Create a message",
        anthropic.Message,
        GENERATE | {529},
        anthropic.MessageEvent,
    ),
    ("POST", "/v1/messages/count_tokens"): Operation(
        "Messages", "Count the tokens of a message", anthropic.TokenCount, GENERATE | {529}
    ),
}
SERVER_OPERATIONS: Mapping[OperationKey, Operation] = {
    ("GET", "/"): Operation(
        "Server", "A page for people", errors=frozenset({400, 403}), media_types=("text/html", "text/plain")
    ),
    ("HEAD", "/"): Operation("Server", "Whether Ollama answers", relayed=True),
    ("GET", "/health"): Operation(
        "Server",
        "The state of the server",
        others.Health,
        frozenset({400, 403, 500}),
        answers={200: "The server works", 503: "With `ready`: a prompt would fail"},
    ),
    ("GET", "/metrics"): Operation(
        "Server",
        "Metrics for Prometheus",
        errors=ALWAYS,
        media_types=("text/plain", "application/openmetrics-text"),
    ),
    ("GET", "/live/runs"): Operation(
        "Server", "List the model calls that run now and those that ended last", others.RunList, ALWAYS
    ),
    ("POST", "/live/runs/{run_id}/stop"): Operation(
        "Server", "Stop a model call", others.StoppedRun, ALWAYS | {404}
    ),
    ("GET", "/openapi.json"): Operation("Server", "This description", errors=ALWAYS),
}


def _ollama_operations() -> Iterator[tuple[OperationKey, Operation]]:
    for name, methods in {**OPEN, **CHANGES}.items():
        path = "/api/blobs/{digest}" if name == "blobs" else f"/api/{name}"
        allowed = "" if name in OPEN else ", if the server allows changes of models"
        for method in methods:
            yield (
                (method, path),
                Operation(
                    "Ollama",
                    f"Ollama's own {path}{allowed}",
                    others.OllamaAnswer,
                    has_lines=name in STREAMED,
                    body=LOGGED_ENDPOINTS.get(path, others.OllamaBody)
                    if method in ("POST", "DELETE") and name != "blobs"
                    else None,
                    relayed=True,
                ),
            )


OPERATIONS: Mapping[OperationKey, Operation] = {
    **OPENAI_OPERATIONS,
    **ANTHROPIC_OPERATIONS,
    **dict(_ollama_operations()),
    **SERVER_OPERATIONS,
}
