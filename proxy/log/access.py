"""Who looks at the log through the API."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request as Http

from ..hookspecs import Plugins


@dataclass(frozen=True, slots=True)
class Viewer:
    "`actor` is the name of a key; `admin` may see all, the shell's turns too."

    actor: str | None
    admin: bool

    def can_see(self, actor: str | None) -> bool:
        "What was asked by `actor`."
        return self.admin or (actor is not None and actor == self.actor)


async def viewer_of(http: Http, plugins: Plugins) -> Viewer:
    """The actor that its turn would be logged with.

    Who is named by a plugin is that person and no more: what the key allows is for the key's own name.
    """
    actor = await plugins.actor_of(http)
    admin = getattr(http.state, "admin", False)
    return Viewer(actor, admin and actor == getattr(http.state, "actor", None))
