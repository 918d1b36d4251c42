"""The report on a song, out of the record that holds its results: every match with its score, its place in the song and its verdict.

Nothing about the shape of results is relied on; what is odd is left out.

Source: docs.acrcloud.com, "Metadata"; a callback that was captured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from hookserver.core.records import EVENT, BadLine, decode
from hookserver.core.verdicts import AI, COVERS, CUSTOM, MUSIC, VERDICTS, Thresholds, of_ai, of_score
from hookserver.rollups.song_facts import names_of, number_of, probability_of, read_file, results_in, score_of, text_of

MOST = 500      # matches in a report

_LINKS = {"spotify": "https://open.spotify.com/track/", "deezer": "https://www.deezer.com/track/", "youtube": "https://www.youtube.com/watch?v="}
_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class _Step(msgspec.Struct, gc=False):
    value: msgspec.Raw = msgspec.Raw(b"null")


_decode_kinds = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_step = msgspec.json.Decoder(_Step).decode


def results_of(line: bytes) -> dict[str, list[msgspec.Raw]]:
    """The results in a record, by kind: a callback, or an attempt that asked for them. {} when there are none. Raises BadLine.

    Each item is still JSON: taken together, megabytes of them would keep all other threads waiting.
    """
    record = decode(line)
    try:
        payload = record.payload if record.kind == EVENT else _decode_step(record.payload).value
        file = read_file(payload)
        found = None if file is None else results_in(file)
        return {} if found is None else {kind: _decode_list(raw) for kind, raw in _decode_kinds(found).items() if bytes(memoryview(raw)[:1]) == b"["}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(str(error)) from None


def report(results: dict[str, list[msgspec.Raw]], thresholds: Thresholds) -> dict:
    """Matches, the gravest first and then in the order of their place; what was said of machines; how much was left out."""
    found = [_match(kind, item, thresholds) for kind in (MUSIC, CUSTOM, COVERS) for item in _items(results, kind)]
    found.sort(key=lambda match: (-VERDICTS.index(match["verdict"]), match["start"] if match["start"] is not None else 0.0, -(match["score"] or 0)))
    ai = [one for item in _items(results, AI) if (one := _ai(item, thresholds)) is not None]
    return {"matches": found[:MOST], "left_out": max(0, len(found) - MOST), "ai": ai[:MOST], "speech": [
        _speech(item) for kind in ("speech", "music_speech") for item in _items(results, kind)][:MOST]}


def _items(results: dict[str, list[msgspec.Raw]], kind: str) -> Iterator[dict]:
    for raw in results.get(kind, ()):
        if isinstance(item := msgspec.json.decode(raw), dict):
            yield item


def _object(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _match(kind: str, item: dict, thresholds: Thresholds) -> dict:
    result, score = _object(item.get("result")), score_of(item.get("score"))
    start, end = _place(item, result)
    album = result.get("album")
    return {
        "kind": kind, "verdict": of_score(score, thresholds), "score": score, "start": start, "end": end,
        "title": text_of(result.get("title")), "artist": text_of(result.get("artist")) or names_of(result.get("artists")),
        "album": text_of(_object(album).get("name")) or text_of(album), "label": text_of(result.get("label")),
        "released": text_of(result.get("release_date")), "acrid": text_of(result.get("acrid")), "isrc": _code(result, "isrc"),
        "type": text_of(item.get("type")), "engine": text_of(item.get("engine_type")), "links": _links(_object(result.get("external_metadata")))}


def _place(item: dict, result: dict) -> tuple[float | None, float | None]:
    """From which second of the song to which; each None when it is not told."""
    start, played = number_of(item.get("offset")), number_of(item.get("played_duration"))
    if start is None:
        first, last = (number_of(result.get(f"sample_{end}_time_offset_ms")) for end in ("begin", "end"))
        return (None, None) if first is None else (first / 1000, None if last is None else last / 1000)
    return start, None if played is None else start + played


def _code(result: dict, name: str) -> str:
    """A code that is a text, or the first of a list."""
    codes = _object(result.get("external_ids")).get(name)
    return text_of(codes[0] if isinstance(codes, list) and codes else codes)


def _links(metadata: dict) -> dict[str, str]:
    """Where the match can be listened to. Only ids are taken from the results, never addresses."""
    found = {}
    for name, address in _LINKS.items():
        about = metadata.get(name)
        about = _object(about[0] if isinstance(about, list) and about else about)
        id = about.get("vid") if name == "youtube" else _object(about.get("track")).get("id")
        id = str(id) if type(id) is int else id
        if isinstance(id, str) and _LINK_ID.fullmatch(id):
            found[name] = address + id
    return found


def _ai(item: dict, thresholds: Thresholds) -> dict | None:
    probability = probability_of(item.get("ai_probability"))
    if probability is None:
        return None
    return {"probability": probability, "verdict": of_ai(probability, thresholds), "prediction": text_of(item.get("prediction")),
            "source": text_of(item.get("likely_source"))}


def _speech(item: dict) -> dict:
    """What is music (m), speech (s), both (ms) or something else (o), and where."""
    return {"label": text_of(item.get("label")), "start": number_of(item.get("start")), "end": number_of(item.get("end"))}
