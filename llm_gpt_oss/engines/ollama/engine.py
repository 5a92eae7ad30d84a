"Ollama as an engine: `Completion` in, `Piece` and `Done` out."

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing

from ...catalog.tags import check_tag
from ...completion import Completion, Done, Json, Piece
from ...errors import NotGptOss
from ...settings import Settings
from ...streaming import atranslate, translate
from .answers import ModelDetails
from .client import AsyncClient, Client
from .reader import GenerateReader
from .requests import ApiRequest, generate, show

FAMILIES = {"gptoss", "gpt-oss"}


class OllamaEngine:
    "`completion.Engine`. Holds nothing open between two completions."

    def __init__(self, settings: Settings, key: str | None = None) -> None:
        self._client = Client(settings.server.with_key(key), silence=settings.read_timeout)
        self._harmonic: set[str] = set()
        self._settings = settings

    def complete(self, completion: Completion) -> Generator[Piece | Done, None, None]:
        if not is_known_family(check_tag(completion.model, self._settings), self._harmonic):
            self._harmonic.add(self._client.send(family_request(completion.model)))
        with closing(self._client.stream(generate(completion))) as lines:
            yield from translate(lines, GenerateReader())

    def __enter__(self) -> OllamaEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


class AsyncOllamaEngine:
    """`completion.AsyncEngine`. Holds nothing open between two completions, of which many may run at once;
    or their connections, for as long as the settings say (`idle`)."""

    def __init__(self, settings: Settings, key: str | None = None) -> None:
        server = settings.server.with_key(key)
        self._client = AsyncClient(server, silence=settings.read_timeout, idle=settings.keepalive_seconds)
        self._harmonic: set[str] = set()
        self._settings = settings

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        if not is_known_family(check_tag(completion.model, self._settings), self._harmonic):
            self._harmonic.add(await self._client.send(family_request(completion.model)))
        async with aclosing(self._client.stream(generate(completion))) as lines:
            async for item in atranslate(lines, GenerateReader()):
                yield item

    async def __aenter__(self) -> AsyncOllamaEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()


def is_known_family(tag: str, known: set[str]) -> bool:
    "Whether that is certain. The official tags are not asked about: it takes time with a model of 13 GB."
    return tag.partition(":")[0] == "gpt-oss" or tag in known


def family_request(tag: str) -> ApiRequest[str]:
    "The tag again, if its model is of the gpt-oss family; NotGptOss if it is not."
    asked = show(tag)

    def read(data: Json) -> str:
        require_gpt_oss(tag, asked.read(data))
        return tag

    return ApiRequest(asked.method, asked.path, read, asked.body, tag)


def require_gpt_oss(tag: str, details: ModelDetails) -> None:
    if FAMILIES.isdisjoint({details.family, *details.families}):
        raise NotGptOss(
            f"{tag} is a model of the family {details.family or 'unknown'}, and only gpt-oss reads harmony.",
            remedy="Use gpt-oss:20b or another gpt-oss, or the llm-ollama plugin for this one.",
        )
