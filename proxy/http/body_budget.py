"""Limits the memory of the bodies that are held at once, from their first byte until they are answered."""

from __future__ import annotations

from .errors import SERVER, ApiError

# A request takes about six times the memory of its body: as bytes, as text, as values, as the prompt.
MAX_HELD = 128 * 2**20
# The name under which the lifespan's state has the BodyBudget.
BUDGET = "body_budget"


class BodyBudget:
    "How many bytes of bodies may be held."

    def __init__(self, limit: int = MAX_HELD) -> None:
        self._limit = limit
        self.held = 0

    def take(self, size: int) -> None:
        "Raises ApiError if the bytes do not fit."
        if self.held + size > self._limit:
            message = (
                f"The requests that the server holds have {self._limit // 2**20} MiB already. Try again when "
                "some of them are answered."
            )
            raise ApiError(503, message, SERVER, "queue_full", headers={"Retry-After": "2"})
        self.held += size

    def give_back(self, size: int) -> None:
        self.held -= size


class HeldBody:
    "The bytes of one body. They count until `release`, or until nobody refers to this object any more."

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._size = 0

    def add(self, size: int) -> None:
        "Raises ApiError if the bytes do not fit into the budget."
        self._budget.take(size)
        self._size += size

    def release(self) -> None:
        self._budget.give_back(self._size)
        self._size = 0

    __del__ = release
