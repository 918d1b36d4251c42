"""The job service: clients post lots to have descriptions made of, and are told when all are done.

``POST /api/v1/generate-descriptions`` with a JSON object of ``signature``, ``version``, ``languages``, ``webhook_url`` and
``lots``. The signature is the hex HMAC-SHA256 of the text of ``lots``, not of the body, so it depends on how the
client writes JSON. Source: seed "Руководство по использованию веб-хуков", whose Python sample signs ``json.dumps(lots)``
with ASCII escapes and a space after each comma and colon. Other languages write compactly, or without escapes; all
four forms are taken, and the text of ``lots`` as it stands in the body.

Pure.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from hookserver.core.guard import parse_url
from hookserver.core.records import Record, iso_ms
from hookserver.core.requests import Answer, InboundRequest, header_values
from hookserver.core.signatures import Verdict
from hookserver.providers.receiver import JSON_ONLY, Examined, Unfit, parse_body, parse_object, refusal_of

NAME = "jobs"
PATH = "/api/v1/generate-descriptions"
TYPE = "job.requested"
IDEMPOTENCY_KEY = "Idempotency-Key"

ACCEPTED, PROCESSING, COMPLETED, PARTIAL, FAILED = "accepted", "processing", "completed", "partially_completed", "failed"

MAX_LANGUAGES = 50
MAX_ID = 200            # characters of a lot's id
MAX_IMAGES = 100
MAX_COMMAS = 40_000     # in a body
LOT_COMMAS = 4_000      # in a lot: so many numbers are written out again in 2 ms, which no other thread may interrupt
MAX_KEY = 200           # characters of an Idempotency-Key

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)     # the shape of BCP 47
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_FORMS = tuple((ascii_only, comma, json.JSONEncoder(separators=(comma, colon), ensure_ascii=ascii_only).encode)
               for comma, colon in ((", ", ": "), (",", ":")) for ascii_only in (True, False))


class BadJob(ValueError):
    """``field`` (``lots[2].lot_id``) is not what it must be; ``reason`` says why."""

    def __init__(self, field: str, reason: str):
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


class Job(msgspec.Struct, frozen=True, gc=False):
    """A job as its client sent it. ``lots`` are JSON objects as they came, each with a ``lot_id``."""

    version: str
    languages: tuple[str, ...]
    webhook_url: str | None
    lots: tuple[dict, ...]

    @property
    def lot_ids(self) -> list[str]:
        return [lot["lot_id"] for lot in self.lots]


class _Lots(msgspec.Struct, gc=False):
    lots: msgspec.Raw = msgspec.Raw(b"")


class _EachLot(msgspec.Struct, gc=False):
    lots: list[msgspec.Raw]


_decode_lots = msgspec.json.Decoder(_Lots).decode
_decode_each = msgspec.json.Decoder(_EachLot).decode


# -- ids ----------------------------------------------------------------------------------------------------


def job_id(at_ms: int, chance: bytes) -> str:
    """A UUID of version 4 made of 16 random bytes, of which the first two give way to the number of the UTC day.

    So the day of a job can be told from its id; the other 106 bits keep it from being guessed.
    """
    number = bytearray(chance[:16])
    number[:2] = (at_ms // 86_400_000 & 0xFFFF).to_bytes(2, "big")
    number[6], number[8] = number[6] & 0x0F | 0x40, number[8] & 0x3F | 0x80
    text = number.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def day_in(id: str) -> int | None:
    """The number of the UTC day (since 1970) in a job's id; None for what is no such id."""
    return int(id[:4], 16) if _ID.fullmatch(id) else None


# -- who sent it -----------------------------------------------------------------------------------------


def forms(body: bytes, lots: object) -> Iterator[bytes]:
    """The texts of ``lots`` that a client may have signed, the seed's own first."""
    plain = body.isascii() and b"\\" not in body      # then there is nothing to escape, and both ways are one
    for ascii_only, separator, encode in _FORMS:
        if plain and not ascii_only:
            continue
        try:
            # Lot by lot, because no other thread runs while the encoder does.
            yield f"[{separator.join(map(encode, lots))}]".encode() if isinstance(lots, list) else encode(lots).encode()
        except (ValueError, RecursionError):    # a number without end, a lone surrogate
            continue
    yield bytes(_decode_lots(body).lots)


def verify(body: bytes, value: dict, secrets: Sequence[bytes]) -> Verdict:
    """Whether ``signature`` in a job is the HMAC of its lots under one of ``secrets``.

    ``value`` is the parsed ``body``.
    """
    given = value.get("signature")
    if given is None:
        return Verdict(False, "the job has no signature", code="signature_missing")
    if not isinstance(given, str) or not re.fullmatch(r"[0-9a-fA-F]{64}", given, re.ASCII):
        return Verdict(False, "signature is not 64 hex digits", code="signature_mismatch")
    wanted, matched = bytes.fromhex(given), None
    for text in forms(body, value.get("lots")):
        for number, secret in enumerate(secrets):
            if hmac.compare_digest(hmac.digest(secret, text, "sha256"), wanted) and matched is None:
                matched = number
        if matched is not None:
            break
    if matched is None:
        return Verdict(False, f"signature matches no secret ({len(secrets)} tried)", code="signature_mismatch")
    return Verdict(True, f"signature of lots matches secret {matched + 1} of {len(secrets)}", secret=matched)


class JobsReceiver(msgspec.Struct, frozen=True):
    """What intake asks. ``new_id()`` gives the id of a new job.

    The signature stands inside the body, so the body is parsed, within limits, before it is known who sent it.
    """

    secrets: tuple[bytes, ...]
    max_lots: int
    new_id: Callable[[], str]
    name: str = NAME
    methods: tuple[str, ...] = ("POST",)
    content_types: frozenset[str] = JSON_ONLY
    recalls: bool = True

    def __repr__(self) -> str:
        return f"JobsReceiver(<{len(self.secrets)} secrets hidden>)"

    def examine(self, request: InboundRequest) -> Examined | Unfit:
        """Strict JSON, the signature over its lots, then each field."""
        if request.body.count(b",") > MAX_COMMAS:
            return Unfit("bad_field", f"body: holds more than {MAX_COMMAS} values.")
        value = parse_object(request.body)
        if type(value) is Unfit:
            return value
        if value.get("signature") is not None:
            if not isinstance(value.get("lots"), list):
                return Unfit("bad_field", "lots: must be a list of at least one lot.")     # nothing there that could be signed
            for place, lot in enumerate(_decode_each(request.body).lots):
                if bytes(lot).count(b",") > LOT_COMMAS:
                    return Unfit("bad_field", f"lots[{place}]: holds more than {LOT_COMMAS} values.")
        verdict = verify(request.body, value, self.secrets)
        if not verdict.ok:
            return refusal_of(verdict)
        try:
            read(value, max_lots=self.max_lots)
            key = idempotency_key(request.headers)
        except BadJob as error:
            return Unfit("bad_field", f"{error}.")
        return Examined(verdict, TYPE, key, value, job=self.new_id())

    def kept(self, request: InboundRequest) -> InboundRequest:
        return request

    def success(self, examined: Examined, event: str, duplicate: bool) -> Answer:
        return Answer(202, b'{"job_id":"%b"}' % examined.job.encode())

    def repeated(self, examined: Examined, first: Record) -> Answer | Unfit:
        """The answer to a second request with the same Idempotency-Key. ``first``: the record of the first one."""
        if _content(parse_body(bytes(first.payload))) != _content(examined.value):
            return Unfit("idempotency_conflict", "This Idempotency-Key came with another job before.")
        return Answer(202, b'{"job_id":"%b"}' % (first.job or "").encode())


def idempotency_key(headers: Sequence[tuple[str, str]]) -> str | None:
    """``idempotency:<value>``, None without the header. Raises BadJob."""
    values = header_values(headers, IDEMPOTENCY_KEY)
    if not values:
        return None
    value = values[0].strip()
    if len(values) > 1 or not 1 <= len(value) <= MAX_KEY or not value.isascii() or not value.isprintable():
        raise BadJob(IDEMPOTENCY_KEY, f"must be one header of 1 to {MAX_KEY} printable ASCII characters")
    return f"idempotency:{value}"


def _content(value: object) -> object:
    """What makes two jobs the same, however they are written."""
    return {name: member for name, member in value.items() if name != "signature"} if isinstance(value, dict) else None


# -- what it says -----------------------------------------------------------------------------------------


def read(value: object, *, max_lots: int = 1000) -> Job:
    """The job in a parsed body. Raises BadJob; members that nobody knows are left alone."""
    if not isinstance(value, dict):
        raise BadJob("body", "must be a JSON object")
    version = value.get("version")
    if not isinstance(version, str) or not 1 <= len(version) <= 50:
        raise BadJob("version", 'must be text such as "1.0.0"')
    return Job(version, _languages(value.get("languages")), _webhook_url(value.get("webhook_url")),
               _lots(value.get("lots"), max_lots))


def _languages(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise BadJob("languages", 'must be a list of at least one language, as ["en", "ru"]')
    if len(value) > MAX_LANGUAGES:
        raise BadJob("languages", f"has {len(value)} entries; at most {MAX_LANGUAGES} are taken")
    for place, language in enumerate(value):
        if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
            raise BadJob(f"languages[{place}]", 'must be a language tag such as "en" or "pt-BR"')
        if language in value[:place]:
            raise BadJob(f"languages[{place}]", f"{language} is there twice")
    return tuple(value)


def _webhook_url(value: object) -> str | None:
    if value is None:
        return None     # the client will ask for the status instead
    if not isinstance(value, str):
        raise BadJob("webhook_url", "must be text")
    try:
        parse_url(value)
    except ValueError as error:
        raise BadJob("webhook_url", str(error)) from None
    return value


def _lots(value: object, most: int) -> tuple[dict, ...]:
    if not isinstance(value, list) or not value:
        raise BadJob("lots", "must be a list of at least one lot")
    if len(value) > most:
        raise BadJob("lots", f"has {len(value)} lots; at most {most} are taken in one job")
    seen: set[str] = set()
    for place, lot in enumerate(value):
        where = f"lots[{place}]"
        if not isinstance(lot, dict):
            raise BadJob(where, "must be a JSON object")
        lot_id = lot.get("lot_id")
        if not isinstance(lot_id, str) or not 1 <= len(lot_id) <= MAX_ID or not lot_id.isprintable():
            raise BadJob(f"{where}.lot_id", f"must be text of 1 to {MAX_ID} printable characters")
        if lot_id in seen:
            raise BadJob(f"{where}.lot_id", f"{lot_id!r} is there twice")
        seen.add(lot_id)
        _images(lot.get("images"), f"{where}.images")
    return tuple(value)


def _images(value: object, where: str) -> None:
    if value is None:
        return
    if not isinstance(value, list) or len(value) > MAX_IMAGES:
        raise BadJob(where, f"must be a list of at most {MAX_IMAGES} URLs")
    for place, image in enumerate(value):
        if not isinstance(image, str) or not image:
            raise BadJob(f"{where}[{place}]", "must be a URL as text")


# -- what the client is told at the end -----------------------------------------------------------------------


def completion_body(job_id: str, status: str, at_ms: int, *, total: int, completed: int, webhook_url: str) -> bytes:
    """The notification's body: the seed's fields in the seed's order. The same bytes for each attempt."""
    return json.dumps({
        "job_id": job_id, "status": status, "timestamp": iso_ms(at_ms - at_ms % 1000)[:19] + "Z", "total_lots": total,
        "completed_lots": completed, "failed_lots": total - completed, "webhook_url": webhook_url,
        "results_available": completed > 0}).encode()


def final_status(total: int, completed: int) -> str:
    """The status of a job of which every lot has ended."""
    return COMPLETED if completed == total else PARTIAL if completed else FAILED


def describe(lot: dict, language: str) -> str:
    """The built-in description: one sentence from what the lot says, the same for the same lot."""
    words = _WORDS.get(language.partition("-")[0].lower(), _WORDS["en"])
    title = next((lot[name] for name in ("title", "name", "model") if isinstance(lot.get(name), str) and lot[name]), lot["lot_id"])
    images = lot.get("images") or []
    facts = [f"{name}: {value}" for name, value in sorted(lot.items())
             if name not in ("lot_id", "images", "title", "name", "model") and isinstance(value, (str, int, float, bool))]
    parts = [words[0].format(title), words[1].format(len(images)), *([words[2].format("; ".join(facts))] if facts else [])]
    return " ".join(parts)[:2000]


#: title, number of images, other facts
_WORDS = {
    "en": ("Lot {}.", "Images: {}.", "Details: {}."),
    "ru": ("Лот {}.", "Изображений: {}.", "Подробности: {}."),
    "fr": ("Lot {}.", "Images : {}.", "Détails : {}."),
    "de": ("Los {}.", "Bilder: {}.", "Einzelheiten: {}."),
    "es": ("Lote {}.", "Imágenes: {}.", "Detalles: {}."),
}
