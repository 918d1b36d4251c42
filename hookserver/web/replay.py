"""``POST /api/replay``: events to their destinations again, refused requests through intake again."""

from __future__ import annotations

import re

from hookserver.errors import Refused
from hookserver.services import readmission, replay
from hookserver.services.queries import Filter
from hookserver.services.readmission import Chosen
from hookserver.web.api import LAST
from hookserver.web.base import BaseHandler
from hookserver.web.parameters import Parameters, bad, from_members

_KNOWN = {"events": ("what", "id", "source", "type", "app", "since", "until", "to", "limit", "after", "last"),
          "rejections": ("what", "id", "source", "cause", "path", "since", "until", "limit", "after", "last")}
_SELECTING = ("source", "type", "app", "cause", "path", "since", "until")
_EVENT = re.compile(r"evt_([0-9a-z]+)_([1-9][0-9]{0,14})", re.ASCII)


class Replay(BaseHandler):
    async def post(self) -> None:
        members = self.json_body()
        dry_run, what = members.pop("dry_run", False), members.get("what")
        if type(dry_run) is not bool:
            raise bad("dry_run", "must be true or false")
        if type(what) is not str or what not in _KNOWN:
            raise bad("what", f"must be one of {', '.join(_KNOWN)}")
        given = from_members(members, _KNOWN[what])
        if not any(given.name(name) for name in ("id", *_SELECTING)):
            raise Refused("bad_parameter", "Nothing says what is to be replayed.", hint=f"Give an id, or one of {', '.join(_SELECTING)}.")
        self.send(await (self.events if what == "events" else self.rejections)(given, dry_run))

    async def events(self, given: Parameters, dry_run: bool) -> replay.Replayed:
        """One event, or a portion of those that fit."""
        to = tuple(filter(None, (given.text("to") or "").split(",")))
        one = given.text("id")
        if one is not None:
            return await self.house.replay.one(self._seq(one), to=to, dry_run=dry_run)
        wanted = Filter(source=given.text("source"), type=given.text("type"), app=given.text("app"),
                        since_ms=given.since_ms("since"), until_ms=given.until_ms("until"))
        return await self.house.replay.some(wanted, to=to, dry_run=dry_run, **_portion(given, replay.PORTION))

    async def rejections(self, given: Parameters, dry_run: bool) -> readmission.Readmitted:
        """One rejection, or a portion of those that fit."""
        one = given.text("id")
        if one is not None:
            return await self.house.readmission.one(one, dry_run=dry_run)
        wanted = Chosen(cause=given.text("cause"), source=given.text("source"), path=given.text("path"),
                        since_ms=given.since_ms("since"), until_ms=given.until_ms("until"))
        return await self.house.readmission.some(wanted, dry_run=dry_run, **_portion(given, readmission.PORTION))

    def _seq(self, event_id: str) -> int:
        found = _EVENT.fullmatch(event_id)
        if found is None or found[1] != self.house.replay.store_id:
            raise Refused("not_found", "There is no event with this id.", hint="It may be older than store.retention.")
        return int(found[2])


def _portion(given: Parameters, most: int) -> dict:
    return {"limit": given.integer("limit", most, 1, most), "after": given.integer("after", 0, 0, LAST), "last": given.integer("last", None, 0, LAST)}
