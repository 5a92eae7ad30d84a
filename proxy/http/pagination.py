"""Lists that are returned a page at a time, in the form of OpenAI's API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from .errors import ApiError

Order = Literal["asc", "desc"]


class Page(BaseModel):
    "The query for one page: at most `limit` objects, starting after the one with the id `after`."

    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    order: Order | None = None


def paginate(objects: Sequence[dict[str, Any]], page: Page, *, default_order: Order) -> dict[str, Any]:
    """Return one page of `objects`, which are in ascending order.

    Raises ApiError if there is no object with the id `after`.
    """
    ordered = list(objects) if (page.order or default_order) == "asc" else list(objects)[::-1]
    if page.after is not None:
        indexes = [index for index, each in enumerate(ordered) if each["id"] == page.after]
        if not indexes:
            raise ApiError(
                400, f"There is no '{page.after}' in this list.", code="invalid_value", param="after"
            )
        ordered = ordered[indexes[0] + 1 :]
    return list_object(ordered[: page.limit], has_more=len(ordered) > page.limit)


def list_object(data: Sequence[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    first_id, last_id = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {
        "object": "list",
        "data": list(data),
        "first_id": first_id,
        "last_id": last_id,
        "has_more": has_more,
    }
