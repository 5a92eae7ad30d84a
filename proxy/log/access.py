"""The viewer of the log: the client that reads it through the API, and what it may see."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request as Http

from ..hookspecs import Plugins


@dataclass(frozen=True, slots=True)
class Viewer:
    "The client of a request: `actor` is that of its key. An `admin` sees all turns, the shell's too."

    actor: str | None
    admin: bool

    def can_see(self, actor: str | None) -> bool:
        "Whether this viewer sees the turns of `actor`."
        return self.admin or (actor is not None and actor == self.actor)


async def viewer_of(http: Http, plugins: Plugins) -> Viewer:
    """Return the viewer that sends this request. Its turns are logged under the name in `actor`.

    Admin rights belong to the actor of the key. They do not apply if a plugin names another actor.
    """
    actor = await plugins.actor_of(http)
    admin = getattr(http.state, "admin", False)
    return Viewer(actor, admin and actor == getattr(http.state, "actor", None))
