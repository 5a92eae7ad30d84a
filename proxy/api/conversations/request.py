"""The bodies of requests to `/v1/conversations` (OpenAI's SDK, `types/conversations/*_params.py`)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from ...http.body_model import Body
from ...http.field_table import FieldTable, honoured
from ...items.wire import AnyItem
from ..responses.from_chat import response_items
from ..shared_fields import Metadata

# OpenAI's own limit.
Items = Annotated[list[AnyItem], Field(max_length=20)]
FIELDS = FieldTable({"items": honoured(convert=response_items)})


class CreateConversation(Body):
    FIELDS: ClassVar[FieldTable] = FIELDS

    items: Items | None = None
    metadata: Metadata | None = None


class UpdateConversation(Body):
    metadata: Metadata | None


class CreateItems(Body):
    FIELDS: ClassVar[FieldTable] = FIELDS

    items: Items
