"""The clients that `make clients` runs: how each is installed, and which cases it has.

A client's program is a file in `tests/clients/programs/`. It gets the name of a case as its argument, and
prints what CASES expects. It finds the server by OPENAI_BASE_URL and OPENAI_API_KEY, and asks the model
`gpt-oss`. Its tool is `get_weather(city)`, and its structured answer is a dog with a name and an age.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from support.clients.installers import Installer, cargo, go, maven, npm, pip, system
from support.clients.model import CAPITAL, DOG, FORECAST, REASONING

PROGRAMS = Path(__file__).parents[2] / "clients" / "programs"

# What a program prints for each case.
CASES = {
    "plain": CAPITAL,
    "stream": CAPITAL,
    "tools": FORECAST,
    "structured": f"{DOG['name']} {DOG['age']}",
    "reasoning": REASONING,
}


@dataclass(frozen=True)
class Client:
    """One row of the table in docs/clients.md.

    `without` are the cases that its program does not have. `seconds` is how long one case may take. CI runs
    those that are `in_ci`, the SDKs that other clients are made of.
    """

    name: str
    program: str
    installer: Installer
    without: tuple[str, ...] = ()
    seconds: int = 120
    in_ci: bool = False

    @property
    def cases(self) -> list[str]:
        return [case for case in CASES if case not in self.without]

    @property
    def slug(self) -> str:
        "The name of its files."
        return Path(self.program).stem

    @property
    def folder(self) -> str:
        "The name of the folder that it is installed in."
        return re.sub(r"\W+", "-", " ".join(self.installer.packages)).strip("-")


CLIENTS = [
    Client("OpenAI's SDK for Python, chat", "openai_chat.py", pip("openai")),
    Client("OpenAI's SDK for Python, async", "openai_async.py", pip("openai")),
    Client("OpenAI's SDK for Python, Responses", "openai_responses.py", pip("openai")),
    Client("OpenAI's Agents SDK for Python", "openai_agents.py", pip("openai-agents")),
    Client("LLM without this plugin", "llm_extra_models.py", pip("llm")),
    Client(
        "LangChain, chat",
        "langchain_chat.py",
        pip("langchain-openai", "langchain"),
        without=("reasoning",),
    ),
    Client("LangChain, Responses", "langchain_responses.py", pip("langchain-openai", "langchain")),
    Client("Pydantic AI, chat", "pydantic_ai_chat.py", pip("pydantic-ai-slim[openai]")),
    Client("Pydantic AI, Responses", "pydantic_ai_responses.py", pip("pydantic-ai-slim[openai]")),
    Client("LlamaIndex", "llama_index_client.py", pip("llama-index-llms-openai-like"), in_ci=True),
    Client("AutoGen", "autogen.py", pip("autogen-ext[openai]", "autogen-agentchat"), in_ci=True),
    Client(
        "Instructor",
        "instructor_client.py",
        pip("instructor"),
        without=("plain", "stream", "tools", "reasoning"),
    ),
    Client("LiteLLM", "litellm_client.py", pip("litellm")),
    Client("Haystack", "haystack_client.py", pip("haystack-ai"), without=("reasoning",)),
    Client("Semantic Kernel", "semantic_kernel_client.py", pip("semantic-kernel"), without=("reasoning",)),
    Client(
        "smolagents", "smolagents_client.py", pip("smolagents[openai]"), without=("structured", "reasoning")
    ),
    Client("Agno", "agno_client.py", pip("agno", "openai")),
    Client("Strands Agents", "strands_client.py", pip("strands-agents[openai]")),
    Client("OpenAI's SDK for JavaScript, chat", "openai_js.mjs", npm("openai", "zod"), in_ci=True),
    Client(
        "OpenAI's SDK for JavaScript, Responses", "openai_js_responses.mjs", npm("openai", "zod"), in_ci=True
    ),
    Client("OpenAI's Agents SDK for JavaScript", "openai_agents_js.mjs", npm("@openai/agents", "zod")),
    Client("AI SDK, openai", "ai_sdk_openai.mjs", npm("@ai-sdk/openai", "ai", "zod")),
    Client(
        "AI SDK, openai-compatible", "ai_sdk_compatible.mjs", npm("@ai-sdk/openai-compatible", "ai", "zod")
    ),
    Client("AI SDK, open-responses", "ai_sdk_open_responses.mjs", npm("@ai-sdk/open-responses", "ai", "zod")),
    Client(
        "LangChain.js",
        "langchain_js.mjs",
        npm("@langchain/openai", "langchain", "zod"),
        without=("reasoning",),
    ),
    Client("Hugging Face's client for Python", "huggingface_hub_client.py", pip("huggingface_hub")),
    Client("Hugging Face's client for JavaScript", "huggingface_js.mjs", npm("@huggingface/inference")),
    Client("Codex", "codex.sh", npm("@openai/codex"), without=("structured",)),
    Client("Claude Code", "claude_code.sh", npm("@anthropic-ai/claude-code")),
    Client("Qwen Code", "qwen_code.sh", npm("@qwen-code/qwen-code"), without=("structured", "reasoning")),
    Client("pi", "pi.sh", npm("@mariozechner/pi-coding-agent"), without=("structured",)),
    Client("Continue", "continue_cli.sh", npm("@continuedev/cli"), without=("structured", "reasoning")),
    Client("opencode", "opencode.sh", npm("opencode-ai"), without=("structured",)),
    Client("Anthropic's SDK for Python", "anthropic_python.py", pip("anthropic")),
    Client(
        "Anthropic's SDK for JavaScript",
        "anthropic_js.mjs",
        npm("@anthropic-ai/sdk"),
        without=("structured",),
        in_ci=True,
    ),
    Client("openai-go", "openai_go.go", go("github.com/openai/openai-go/v3"), in_ci=True),
    Client("go-openai", "go_openai.go", go("github.com/sashabaranov/go-openai"), in_ci=True),
    Client("LangChainGo", "langchaingo.go", go("github.com/tmc/langchaingo")),
    Client(
        "LangChain4j",
        "Langchain4j.java",
        maven(
            "dev.langchain4j:langchain4j-open-ai:1.19.0",
            "dev.langchain4j:langchain4j:1.19.0",
            "org.slf4j:slf4j-nop:2.0.17",
        ),
        in_ci=True,
    ),
    Client(
        "Spring AI",
        "SpringAi.java",
        maven(
            "org.springframework.ai:spring-ai-openai:1.1.2",
            "org.springframework.ai:spring-ai-client-chat:1.1.2",
            "org.slf4j:slf4j-nop:2.0.17",
        ),
        without=("reasoning",),
    ),
    Client("OpenAI's SDK for Java", "OpenaiJava.java", maven("com.openai:openai-java:4.105.0")),
    Client(
        "async-openai",
        "async_openai.rs",
        cargo(
            "async-openai --no-default-features --features chat-completion",
            "tokio --features macros,rt",
            "futures",
            "serde_json",
        ),
        without=("reasoning",),
        in_ci=True,
    ),
    Client("DSPy", "dspy_client.py", pip("dspy"), without=("stream", "tools", "reasoning")),
    Client("magentic", "magentic_client.py", pip("magentic"), without=("reasoning",)),
    Client("curl", "curl.sh", system("curl"), without=("tools", "structured")),
]
