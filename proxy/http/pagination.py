"""Lists, a page at a time, as OpenAI's API has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from .errors import ApiError

Order = Literal["asc", "desc"]


class Page(BaseModel):
    "What a client asks for: at most `limit`, behind the one with the id `after`."

    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    order: Order | None = None


def paginate(all_of_them: Sequence[dict[str, Any]], at: Page, first: Order) -> dict[str, Any]:
    "`all_of_them` is in ascending order, `first` the order of those who do not say. Raises ApiError."
    ordered = list(all_of_them) if (at.order or first) == "asc" else list(all_of_them)[::-1]
    if at.after is not None:
        places = [place for place, each in enumerate(ordered) if each["id"] == at.after]
        if not places:
            raise ApiError(
                400, f"There is no '{at.after}' in this list.", code="invalid_value", param="after"
            )
        ordered = ordered[places[0] + 1 :]
    return list_object(ordered[: at.limit], has_more=len(ordered) > at.limit)


def list_object(data: Sequence[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    ends = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {
        "object": "list",
        "data": list(data),
        "first_id": ends[0],
        "last_id": ends[1],
        "has_more": has_more,
    }
