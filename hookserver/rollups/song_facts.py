"""Reading what a record says of a scanned file: its state, and in short what was found.

Results can be megabytes, so only what is needed is taken out of the JSON, and nothing about their shape is relied on: what
is not as the documents have it counts for nothing, and does no harm.

Source: docs.acrcloud.com, "File Scanning" and "Metadata", and a callback that was captured: ``results`` holds a list for each kind;
the outer ``score`` of an item goes to 100, that in its ``result`` is on another scale; cover songs have none.
"""

from __future__ import annotations

import math
import re

import msgspec

from hookserver.core.scans import is_id
from hookserver.core.verdicts import AI, COVERS, CUSTOM, MUSIC, Facts, Top

LONGEST = 200       # characters of a title or a name
_NOTHING = msgspec.Raw(b"")
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,15})?", re.ASCII)

Odd = list | str | int | float | None   # where an object should be


class Handed(msgspec.Struct, gc=False):
    """A file that was handed in here: the payload of ``file.uploaded``."""

    song: str
    name: str = ""
    size: int | None = None
    sha256: str = ""


class File(msgspec.Struct, gc=False):
    """A file as a callback (``file_id``) or the API (``id``) tells of it."""

    file_id: object = None
    id: object = None
    state: object = None
    status: object = None
    name: object = None
    duration: object = None
    results: msgspec.Raw = _NOTHING
    result: msgspec.Raw = _NOTHING      # so some write it

    @property
    def known(self) -> str:
        """Its id; "" when there is none."""
        found = self.id if self.file_id is None else self.file_id
        return found if is_id(found) else ""


class _Kinds(msgspec.Struct, gc=False):
    music: msgspec.Raw = _NOTHING
    cover_songs: msgspec.Raw = _NOTHING
    custom_files: msgspec.Raw = _NOTHING
    ai_detection: msgspec.Raw = _NOTHING


class _Result(msgspec.Struct, gc=False):
    title: object = None
    artist: object = None
    artists: msgspec.Raw = _NOTHING


class _Item(msgspec.Struct, gc=False):
    score: object = None
    file_duration: object = None
    result: _Result | Odd = None


class _Ai(msgspec.Struct, gc=False):
    ai_probability: object = None


decode_handed = msgspec.json.Decoder(Handed).decode
_decode_file = msgspec.json.Decoder(File).decode
_decode_kinds = msgspec.json.Decoder(_Kinds).decode
_decode_items = msgspec.json.Decoder(list[_Item | Odd]).decode
_decode_ais = msgspec.json.Decoder(list[_Ai | Odd]).decode
_decode_text = msgspec.json.Decoder(str).decode


class Found(msgspec.Struct, gc=False):
    """What results hold. ``duration``: of the file, in seconds."""

    facts: Facts
    duration: float | None = None


def read_file(payload: msgspec.Raw) -> File | None:
    """What JSON says of a file; None when it is no object."""
    try:
        return _decode_file(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def results_in(file: File) -> msgspec.Raw | None:
    """The results, of which some say that they come as JSON within a string; None for none at all."""
    raw = file.results if _first(file.results) in (b"{", b'"') else file.result
    if _first(raw) == b'"':
        try:
            raw = msgspec.Raw(_decode_text(raw).encode().strip())
        except (msgspec.MsgspecError, UnicodeError):
            return None
    return raw if _first(raw) == b"{" and bytes(memoryview(raw)[1:9]).strip() != b"}" else None


def read_results(results: msgspec.Raw) -> Found | None:
    """What was found, in short; None for what is no JSON object."""
    try:
        kinds = _decode_kinds(results)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    counts: dict[str, int] = {}
    tops: dict[str, Top] = {}
    duration = None
    for kind, raw in ((MUSIC, kinds.music), (COVERS, kinds.cover_songs), (CUSTOM, kinds.custom_files)):
        items = [item for item in _listed(_decode_items, raw) if type(item) is _Item]
        if items:
            top = max(items, key=lambda item: score_of(item.score) or 0.0)
            counts[kind], tops[kind] = len(items), _top(top)
            duration = duration or number_of(top.file_duration)
    ais = [probability_of(ai.ai_probability) for ai in _listed(_decode_ais, kinds.ai_detection) if type(ai) is _Ai]
    return Found(Facts(counts, tops, max((ai for ai in ais if ai is not None), default=None)), duration)


def _listed(decode, raw: msgspec.Raw) -> list:
    if _first(raw) != b"[":
        return []
    try:
        return decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []


def _first(raw: msgspec.Raw) -> bytes:
    return bytes(memoryview(raw)[:1])


def _top(item: _Item) -> Top:
    result = item.result if type(item.result) is _Result else _Result()
    return Top(score_of(item.score), text_of(result.title), text_of(result.artist) or names_of(result.artists))


# -- single values, whatever they are -----------------------------------------------------------------------


def text_of(value: object) -> str:
    """Text on one line, not too long; "" for what is none."""
    if not isinstance(value, str):
        return ""
    return "".join(char if char.isprintable() else " " for char in value[:LONGEST]).strip()


def names_of(artists: msgspec.Raw | object) -> str:
    """``[{"name": "A"}, {"name": "B"}]`` -> ``A, B``."""
    if isinstance(artists, msgspec.Raw):
        try:
            artists = msgspec.json.decode(artists) if bytes(artists) else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return ""
    if not isinstance(artists, list):
        return ""
    names = [text_of(one.get("name") if isinstance(one, dict) else one) for one in artists[:20]]
    return ", ".join(name for name in names if name)[:LONGEST]


def number_of(value: object) -> float | None:
    """A number that is not negative, be it written as text."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 10**15 or not math.isfinite(value):
        return None
    return float(value)


def score_of(value: object) -> float | None:
    """A score, 0 to 100."""
    number = number_of(value)
    return None if number is None else min(number, 100.0)


def probability_of(value: object) -> float | None:
    """A probability, 0 to 1; what is above 1 was meant in per cent."""
    number = number_of(value)
    return None if number is None else min(number / 100 if number > 1 else number, 1.0)
