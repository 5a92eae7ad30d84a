"""The bodies of requests to `/v1/conversations` (OpenAI's SDK, `types/conversations/*_params.py`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...http.body_model import Body
from ...items.wire import AnyItem
from ..shared_fields import Metadata

# OpenAI's own limit.
Items = Annotated[list[AnyItem], Field(max_length=20)]


class CreateConversation(Body):
    items: Items | None = None
    metadata: Metadata | None = None


class UpdateConversation(Body):
    metadata: Metadata | None


class CreateItems(Body):
    items: Items
