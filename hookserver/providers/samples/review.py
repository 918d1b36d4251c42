"""Films under review at Frame.io: each is uploaded, made ready, commented on, and in the end approved or not."""

from __future__ import annotations

from hookserver.providers.samples.sample import PEOPLE, PROJECTS, Luck, Sample, sent

KINDS = ("teaser", "trailer", "interview", "scene 12", "credits", "social cut", "générique")
REMARKS = ("Sound drops at 0:42", "Lovely, ship it", "Logo is the old one", "A little brighter?", "Trop long au début")
SHARE_V4 = 3        # one film in so many speaks V4, which names nothing but ids
ABREAST = 8         # films under way at a time


class Reviews:
    """``next(luck)`` is the next thing that happens to one of the films."""

    def __init__(self, luck: Luck):
        self._account, self._project, self._workspace = luck.uuid(), luck.uuid(), luck.uuid()
        self._films: list[_Film] = []
        self._number = 0

    def next(self, luck: Luck) -> Sample:
        """One event."""
        if len(self._films) < 2 or len(self._films) < ABREAST and luck.number(1, 3) == 1:
            self._number += 1
            self._films.append(_Film(luck, self._number))
        film = luck.choice(self._films)
        type, said = film.step(luck)
        if film.over:
            self._films.remove(film)
        return self._v4(film, type, luck) if film.v4 else self._named(film, type, said)

    def _v4(self, film: _Film, type: str, luck: Luck) -> Sample:
        type = {"file.status.changed": "metadata.value.updated", "review.status.changed": "metadata.value.updated"}.get(type, type)
        about = {"id": luck.uuid(), "type": "comment"} if type.startswith("comment.") else {"id": film.id, "type": "file"}
        return sent({"account": {"id": self._account}, "project": {"id": self._project}, "resource": about, "type": type,
                     "user": {"id": film.user}, "workspace": {"id": self._workspace}}, {"User-Agent": "Frame.io V4 API"})

    def _named(self, film: _Film, type: str, said: dict) -> Sample:
        return sent({"event_type": type, "resource": {"id": film.id, "name": film.name, "type": "file"} | said,
                     "project": {"id": self._project}, "user": {"id": film.user}})


class _Film:
    """One film, and how far it is."""

    def __init__(self, luck: Luck, number: int):
        self.id, self.user = luck.uuid(), luck.uuid()
        self.name = f"{luck.choice(PROJECTS)} {luck.choice(KINDS)} v{luck.number(1, 4)}.mp4"
        self.v4 = number % SHARE_V4 == 0
        self.over = False
        self._next = "uploaded"

    def step(self, luck: Luck) -> tuple[str, dict]:
        """Type of the next event, and what it says in the seed's shape."""
        stage = self._next
        if stage == "uploaded":
            self._next = "ready"
            return "file.upload.completed", {"status": "processing"}
        if stage == "ready":
            self._next = "asked"
            return "file.ready", {"status": "ready"}
        if stage == "asked":
            self._next = "talk"
            return "file.status.changed", {"status": "needs_review"}
        if luck.number(1, 2) == 1:
            return "comment.created", {"text": f"{luck.choice(PEOPLE).split()[0]}: {luck.choice(REMARKS)}"}
        verdict = luck.choice(("approved", "approved", "rejected"))
        self.over, self._next = verdict == "approved", "uploaded"
        return "review.status.changed", {"review_status": verdict}
