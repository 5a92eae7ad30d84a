"""A client of `llm gpt-oss serve`, for programs without LLM.

from proxy.client import Client

client = Client("http://box:8000", key="…")
print(client.chat("Why is the sky blue?").text)
for delta in client.stream("And at night?"):
    print(delta.text, end="", flush=True)

`AsyncClient` has the same methods for async code. `python -m proxy.client` holds a conversation in the
terminal. Errors are those of `llm_gpt_oss.errors`: what happened, why, and what to type.
"""

from .answer import Answer, Delta, Health, Model, ToolCall, Usage
from .client import AsyncClient, Client

__all__ = ["Answer", "AsyncClient", "Client", "Delta", "Health", "Model", "ToolCall", "Usage"]
