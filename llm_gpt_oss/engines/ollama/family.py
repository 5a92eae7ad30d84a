"The check that a model of Ollama is a gpt-oss."

from __future__ import annotations

from ...completion import Json
from ...errors import NotGptOss
from ..http.request import Request
from .answers import ModelDetails
from .requests import show

FAMILIES = {"gptoss", "gpt-oss"}


def is_official(tag: str) -> bool:
    """Whether the tag is an official `gpt-oss` tag, whose family need not be checked.

    Skipping the check saves time: Ollama needs a while to describe a model of 13 GB.
    """
    return tag.partition(":")[0] == "gpt-oss"


def family_request(tag: str) -> Request[None]:
    "Return a request whose `parse` raises NotGptOss if the model is not a gpt-oss."
    request = show(tag)

    def parse(data: Json) -> None:
        require_gpt_oss(tag, request.parse(data))

    return Request(request.path, parse, request.body, tag)


def require_gpt_oss(tag: str, details: ModelDetails) -> None:
    if FAMILIES.isdisjoint({details.family, *details.families}):
        raise NotGptOss(
            f"{tag} is a model of the family {details.family or 'unknown'}, and only gpt-oss reads harmony.",
            remedy="Use gpt-oss:20b or another gpt-oss, or the llm-ollama plugin for this one.",
        )
