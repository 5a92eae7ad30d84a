"""Limits the memory of the bodies that are held at once, from their first byte until they are answered."""

from __future__ import annotations

from collections import Counter

from .errors import SERVER, ApiError

# A request takes about six times the memory of its body: as bytes, as text, as values, as the prompt.
MAX_HELD = 128 * 2**20
# One actor of several may hold this part of it.
SHARE = 2
# The name under which the lifespan's state has the BodyBudget.
BUDGET = "body_budget"


class BodyBudget:
    """Limits the bytes of request bodies that are in memory at once.

    One actor may hold half of them. All clients with one key are an actor, and so are all clients on other
    machines that need no key. Clients on this machine that need no key have no actor, and may hold all.
    """

    def __init__(self, limit: int = MAX_HELD) -> None:
        self._limit = limit
        self._held_by: Counter[str | None] = Counter()
        self.held = 0

    def take(self, size: int, actor: str | None = None) -> None:
        "Raises ApiError if the bytes do not fit."
        if self.held + size > self._limit:
            raise _full("The requests that the server holds have", self._limit)
        share = self._limit // SHARE
        if actor is not None and self._held_by[actor] + size > share:
            raise _full("Your requests that the server holds have", share)
        self.held += size
        self._held_by[actor] += size

    def give_back(self, size: int, actor: str | None = None) -> None:
        self.held -= size
        self._held_by[actor] -= size
        if not self._held_by[actor]:
            del self._held_by[actor]


class HeldBody:
    """The bytes of one body of an actor.

    They count until `release`, or until nobody refers to this object any more.
    """

    def __init__(self, budget: BodyBudget, actor: str | None) -> None:
        self._budget = budget
        self._actor = actor
        self._size = 0

    def add(self, size: int) -> None:
        "Raises ApiError if the bytes do not fit into the budget."
        self._budget.take(size, self._actor)
        self._size += size

    def release(self) -> None:
        self._budget.give_back(self._size, self._actor)
        self._size = 0

    __del__ = release


def _full(what: str, limit: int) -> ApiError:
    message = f"{what} {limit // 2**20} MiB already. Try again when some of them are answered."
    return ApiError(503, message, SERVER, "queue_full", headers={"Retry-After": "2"})
