"""What came for nobody: unmatched requests by path, each group with a draft of the source that it may be meant for.

Strangers knock at many paths; groups in which a sender can be made out come first. Reading ends at a time budget, and the
answer says whether it saw all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from concurrent.futures import Executor

import msgspec

from hookserver.core.requests import InboundRequest
from hookserver.errors import Refused
from hookserver.providers.drafts import Draft, draft
from hookserver.services.endpoints import Endpoint
from hookserver.store.rejections import Rejection, Rejections

BUDGET = 0.3        # seconds that one answer may read
MOST = 100          # groups


class Group(msgspec.Struct):
    """The requests to one path. ``newest``: the id of one of them, whose body is kept if that of any is; ``whole``: how many are kept whole, so that
    they can be replayed. ``source``: the one that has this path today, so that a replay would bring them in."""

    path: str
    methods: list[str]
    count: int
    whole: int
    first_at: str
    last_at: str
    newest: str
    source: str | None
    draft: Draft


class Groups(msgspec.Struct, frozen=True):
    """``complete``: nothing that is kept was left out; ``looked_at``: requests."""

    groups: list[Group]
    looked_at: int
    complete: bool


class Inbox:
    """``find`` gives to whom a path belongs today. ``sources``: the names of all."""

    def __init__(self, rejections: Rejections, find: Callable[[str], Endpoint | None], *, sources: Collection[str] = (),
                 threads: Executor | None = None, steady: Callable[[], float] = time.monotonic, budget: float = BUDGET):
        self._rejections, self._find, self._sources = rejections, find, sources
        self._threads, self._steady, self._budget = threads, steady, budget

    async def groups(self) -> Groups:
        """The answer of ``GET /api/inbox``. Raises Refused (store_unavailable)."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._groups)
        except OSError as error:
            raise Refused("store_unavailable", f"The rejections cannot be read: {error.strerror}.", retry_after=5) from None

    def _groups(self) -> Groups:
        """In a thread."""
        deadline, looked_at, complete = self._steady() + self._budget, 0, True
        found: dict[str, Group] = {}
        shown: dict[str, Rejection] = {}    # path -> the one that the draft is made of
        for refused in self._rejections.newest("unmatched"):
            looked_at += 1
            group = found.get(refused.path)
            if group is None and len(found) == MOST:
                complete = False
            elif group is None:
                found[refused.path], shown[refused.path] = self._group(refused), refused
            else:
                _count(group, refused)
                if shown[refused.path].body != "whole" and refused.body == "whole":
                    shown[refused.path] = refused
            if self._steady() > deadline:
                complete = False
                break
        for path, refused in shown.items():
            found[path].newest, found[path].draft = refused.id, draft_of(refused, self._sources)
        return Groups(sorted(found.values(), key=_unlikely), looked_at, complete)

    def _group(self, refused: Rejection) -> Group:
        endpoint = self._find(refused.path)
        return Group(refused.path, [refused.method], 1, int(refused.body == "whole"), refused.at, refused.at, refused.id,
                     endpoint.source if endpoint else None, _NONE)


_NONE = Draft(None, (), "", False)


def _count(group: Group, refused: Rejection) -> None:
    group.count += 1
    group.whole += refused.body == "whole"
    group.first_at = min(group.first_at, refused.at)
    if refused.method not in group.methods and len(group.methods) < 9:
        group.methods.append(refused.method)


def _unlikely(group: Group) -> int:
    """Less for what is more likely to be meant for us; the order of arrival decides among equals."""
    return 0 if group.draft.sender is not None or group.source is not None else 1 if group.draft.signed else 2


def draft_of(refused: Rejection, sources: Collection[str]) -> Draft:
    """The source that a refused request may be meant for."""
    return draft(InboundRequest(refused.method, refused.path, refused.query, refused.headers, refused.raw_body(), "", "", refused.at_ms), sources)
