"""Lists of items as the API returns them: a page at a time, with the fields that the query asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from ..http.pagination import Page, paginate
from ..items.output import Item
from ..log.items import ItemEntry
from ..settings import ReasoningDisplay

ENCRYPTED_CONTENT = "reasoning.encrypted_content"


class ItemFields(BaseModel):
    "The optional fields that items are returned with."

    include: list[str] = []
    # The name that OpenAI's clients use for a list in a query.
    include_brackets: Annotated[list[str], Field(alias="include[]")] = []

    @property
    def include_encrypted(self) -> bool:
        return ENCRYPTED_CONTENT in (*self.include, *self.include_brackets)


class ItemPage(Page, ItemFields):
    pass


def render_items(
    entries: Sequence[ItemEntry], fields: ItemFields, *, display: ReasoningDisplay
) -> list[Item]:
    return [entry.item(shown=display, sealed=fields.include_encrypted) for entry in entries]


def item_page(entries: Sequence[ItemEntry], page: ItemPage, *, display: ReasoningDisplay) -> dict[str, Any]:
    """Return one page of `entries`, which are in ascending order; the page begins with the newest by default.

    Only its own items are rendered. Raises ApiError if `after` is not the id of an entry.
    """
    by_id = {entry.id: entry for entry in entries}
    ids = paginate([{"id": item_id} for item_id in by_id], page, default_order="desc")
    return {**ids, "data": render_items([by_id[each["id"]] for each in ids["data"]], page, display=display)}
