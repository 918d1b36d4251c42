"""The lots of jobs: each is handed to a worker, which makes descriptions of it.

A worker gets ``job_id``, ``lot_id``, ``version``, ``languages`` and the lot as its client sent it. It answers with a JSON object:
``{"descriptions": {"en": "…"}}``, a text for every language that was asked for and further members as it likes, or
``{"error": "…"}`` when nothing can be made of this lot. What is no such object is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from hookserver import __version__
from hookserver.core.guard import Target
from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.records import BadLine, decode
from hookserver.core.tasks import NOTE, Outcome
from hookserver.providers.jobs import describe
from hookserver.tasks.client import READ, Client, Request
from hookserver.tasks.work import Work

KEPT = 4            # jobs that stay decoded: the lots of one job come one after the other

_encode = msgspec.json.Encoder().encode
_replace = msgspec.structs.replace


class BadAnswer(ValueError):
    """What a worker has answered is not what it should be; says why. ``declined``: it says itself that it cannot."""

    def __init__(self, why: str, declined: bool = False):
        super().__init__(why)
        self.declined = declined


class Lot(NamedTuple):
    """One lot of a job. ``lot`` is the JSON object as its client wrote it."""

    job: str
    version: str
    languages: list[str]
    lot: msgspec.Raw


class _Sent(msgspec.Struct, gc=False):
    version: str
    languages: list[str]
    lots: list[msgspec.Raw]


class _Named(msgspec.Struct, gc=False):
    lot_id: str


_decode_sent = msgspec.json.Decoder(_Sent).decode
_decode_named = msgspec.json.Decoder(_Named).decode


class Lots:
    """Finds the lot of a task in the event of its job."""

    def __init__(self) -> None:
        self._jobs: dict[str, tuple[str, _Sent, dict[str, msgspec.Raw]]] = {}

    def find(self, work: Work) -> Lot:
        """Raises BadLine when the record is not that of a job with this lot."""
        known = self._jobs.get(work.task.about)
        if known is None:
            known = self._jobs[work.task.about] = _job_in(work.line)
            if len(self._jobs) > KEPT:
                del self._jobs[next(iter(self._jobs))]
        job, sent, lots = known
        if work.task.part not in lots:
            raise BadLine(f"the job has no lot {work.task.part!r}")
        return Lot(job, sent.version, sent.languages, lots[work.task.part])


def _job_in(line: bytes) -> tuple[str, _Sent, dict[str, msgspec.Raw]]:
    record = decode(line)
    try:
        sent = _decode_sent(record.payload)
        return record.job or "", sent, {_decode_named(lot).lot_id: lot for lot in sent.lots}
    except msgspec.MsgspecError as error:
        raise BadLine(f"not a job: {error}") from None


def check_answer(text: bytes, languages: list[str]) -> None:
    """Raises BadAnswer unless ``text`` is a worker's answer with a description for each language."""
    try:
        value = parse(text)
    except BadJSON as error:
        raise BadAnswer(f"the answer is not strict JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadAnswer("the answer is not a JSON object")
    if "error" in value:
        why = value["error"]
        raise BadAnswer(why if isinstance(why, str) and why else "the worker gives no reason", declined=True)
    made = value.get("descriptions")
    if not isinstance(made, dict):
        raise BadAnswer("the answer has no object of descriptions")
    for language in languages:
        if not isinstance(made.get(language), str) or not made[language]:
            raise BadAnswer(f"the answer has no description for {language}")


def judged(outcome: Outcome, text: bytes, languages: list[str], *, whole: bool = True) -> Outcome:
    """A worker's good outcome, with the value that it has made; or what is wrong with its answer."""
    if not whole:
        return _replace(outcome, ok=False, cause="invalid", note=f"the answer is longer than {READ} bytes", final=True)
    try:
        check_answer(text, languages)
    except BadAnswer as bad:
        cause = "invalid" if bad.declined else "protocol"
        return _replace(outcome, ok=False, cause=cause, note=str(bad)[:NOTE], final=bad.declined)
    return _replace(outcome, value=msgspec.Raw(text.strip()), excerpt=b"", truncated=False)


class TemplateWorker:
    """Built in: a sentence for each language from what the lot says, the same for the same lot."""

    def __init__(self) -> None:
        self._lots = Lots()

    async def perform(self, work: Work) -> Outcome:
        try:
            found = self._lots.find(work)
        except BadLine as error:
            return Outcome(False, "invalid", str(error), final=True)
        lot = msgspec.json.decode(found.lot)
        made = {language: describe(lot, language) for language in found.languages}
        return Outcome(True, "ok", value=msgspec.Raw(_encode({"descriptions": made})))

    async def close(self) -> None:
        """Nothing is kept that would have to be let go."""


class HttpWorker:
    """Posts a lot. 200 with the answer ends it; 202 says that the answer comes later, within ``patience`` seconds.

    ``answer_to(job, lot_id, task)`` gives where a late answer goes, and the token for it.
    """

    def __init__(self, target: Target, client: Client, *, headers: Mapping[str, str], patience: float,
                 answer_to: Callable[[str, str, str], tuple[str, str]]):
        self._target, self._client, self._headers, self._patience = target, client, headers, patience
        self._answer_to, self._lots = answer_to, Lots()

    async def perform(self, work: Work) -> Outcome:
        try:
            found = self._lots.find(work)
        except BadLine as error:
            return Outcome(False, "invalid", str(error), final=True)
        url, token = self._answer_to(found.job, work.task.part, work.task.id)
        headers = {"Content-Type": "application/json", "User-Agent": f"hookserver/{__version__}", "webhook-id": work.task.id, **self._headers}
        outcome = await self._client.send(Request(
            target=self._target, headers=headers, body=order(found, work, {"url": url, "token": token}), timeout=work.timeout,
            at_ms=work.at_ms, keep=READ, patience=work.timeout, hide=(token, *self._headers.values())))
        if not outcome.ok:
            return outcome
        if outcome.status == 202:
            return _replace(outcome, ok=False, waiting=self._patience)
        return judged(outcome, outcome.excerpt, found.languages, whole=not outcome.truncated)

    async def close(self) -> None:
        """Nothing is kept between attempts."""


def order(found: Lot, work: Work, answer: dict[str, str] | None = None) -> bytes:
    """What a worker is given, as JSON. ``answer``: where a late answer goes."""
    return _encode({"job_id": found.job, "lot_id": work.task.part, "task_id": work.task.id, "attempt": work.number,
                    "version": found.version, "languages": found.languages, "lot": found.lot} | ({"answer": answer} if answer else {}))
