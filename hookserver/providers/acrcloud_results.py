"""What the simulator of ACRCloud finds in a file: imagined from a digest of its content, the same for the same file.

The shapes are those of protocol and of real callbacks: ids that are missing, empty lists where there is nothing, numbers that are now
whole and now not, another ``score`` inside than outside.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

#: How a file comes out, and the state that the API gives it. ``silent``: nothing was found; ``broken``: it could not be read.
STATES = {"clear": 1, "review": 1, "match": 1, "cover": 1, "own": 1, "machine": 1, "silent": -1, "broken": -2, "unreadable": -3}
_USUAL = ("match", "clear", "review", "silent", "match", "cover", "clear", "own", "review", "machine", "silent", "match", "clear", "broken")
_MARK = b"simulate:"     # a file that begins with it and one of STATES comes out so

_FIRST = ("Paper", "Northern", "Velvet", "Slow", "Electric", "Golden", "Hollow", "Midnight", "Glass", "Amber", "Wild", "Distant")
_SECOND = ("Harbour", "Lanterns", "Signal", "Gardens", "Machine", "River", "Letters", "Satellite", "Summer", "Mirror", "Parade", "Tide")
_PEOPLE = ("Mara Lindqvist", "The Quiet Engines", "Otis Vale", "Salt & Cedar", "Nightboat", "Ines Aurel", "Kestrel Choir", "DJ Halogen")
_LABELS = ("Lowland Records", "Second Floor Music", "Ampersand", "Blue Door")
_GENRES = ("Pop", "Rock", "Electronic", "Jazz", "Hip-Hop", "Folk")
_SERVICES = ("Generator One", "Hum", "Stemworks")


def kind_of(beginning: bytes, digest: bytes) -> str:
    """How a file comes out. ``beginning``: its first 64 bytes or so; ``digest``: of all of it, 32 bytes."""
    if beginning.startswith(_MARK):
        word = beginning[len(_MARK):].split(b"\n", 1)[0].strip().decode("ascii", "replace")
        if word in STATES:
            return word
    return _USUAL[digest[0] % len(_USUAL)]


def results_of(kind: str, digest: bytes, duration: float) -> dict | None:
    """``data.results`` of a file of ``duration`` seconds. None when there are none."""
    if STATES[kind] != 1:
        return None
    draws = _draws(digest)
    if kind == "clear":
        return {"music": [_music(draws, duration, (44, 52), 6)]} if next(draws) % 2 else {"music": [], "cover_songs": []}
    if kind == "review":
        return {"music": [_music(draws, duration, (71, 78), 20), _music(draws, duration, (50, 66), 9)]}
    if kind == "match":
        found = [_music(draws, duration, (92, 100), 60), *[_music(draws, duration, (48, 70), 8) for _ in range(next(draws) % 4)]]
        return {"music": found, "cover_songs": [_cover(draws, duration)] if next(draws) % 2 else []}
    if kind == "cover":
        return {"cover_songs": [_cover(draws, duration), _cover(draws, duration)], "music": [_music(draws, duration, (45, 60), 6)]}
    if kind == "own":
        return {"custom_files": [_custom(draws, duration)], "music": []}
    return {"ai_detection": [_machine(draws, duration)], "music": [], "speech": []}


def _draws(digest: bytes) -> Iterator[int]:
    """Whole numbers without an end, from 32 bytes."""
    state = int.from_bytes(digest, "big") | 1
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        yield state >> 33


def _pick(draws: Iterator[int], of: tuple[str, ...]) -> str:
    return of[next(draws) % len(of)]


def _where(draws: Iterator[int], duration: float, share: int) -> tuple[float, float]:
    """Offset and length in seconds of a passage of about ``share`` percent of the file."""
    length = max(3.0, duration * min(95, share + next(draws) % 15) / 100)
    offset = (duration - length) * (next(draws) % 100) / 100 if duration > length else 0
    return (int(offset) if next(draws) % 2 else round(offset, 2)), round(length, 2)


def _music(draws: Iterator[int], duration: float, scores: tuple[int, int], share: int) -> dict:
    offset, length = _where(draws, duration, share)
    title = f"{_pick(draws, _FIRST)} {_pick(draws, _SECOND)}"
    result = {
        "title": title, "artists": [{"name": _pick(draws, _PEOPLE)} for _ in range(1 + next(draws) % 2)], "album": {"name": f"{title} EP"},
        "label": _pick(draws, _LABELS), "release_date": None if next(draws) % 5 == 0 else f"{1975 + next(draws) % 50}-0{1 + next(draws) % 9}-14",
        "duration_ms": 90_000 + next(draws) % 200_000, "genres": [{"name": _pick(draws, _GENRES)}], "score": 1 + next(draws) % 25,
        "external_ids": {"isrc": f"QZ{next(draws) % 10**10:010d}", "upc": [f"{next(draws) % 10**12:012d}"]} if next(draws) % 3 else [],
        "external_metadata": {"spotify": {"track": {"id": f"{next(draws):x}", "name": title}}} if next(draws) % 2 else [],
        "db_begin_time_offset_ms": 0, "db_end_time_offset_ms": round(length * 1000), "sample_begin_time_offset_ms": 0,
        "sample_end_time_offset_ms": length * 1000, "play_offset_ms": round(length * 1000), "result_from": 3, "rank": 1}
    if next(draws) % 4:
        result["acrid"] = f"{next(draws) << 40 | next(draws):032x}"
    return {"offset": offset, "played_duration": length, "type": "traverse", "engine_type": "1", "time_skew": 0, "frequency_skew": 0,
            "file_duration": round(duration), "score": scores[0] + next(draws) % (scores[1] - scores[0] + 1), "result": result}


def _cover(draws: Iterator[int], duration: float) -> dict:
    offset, length = _where(draws, duration, 40)
    return {"offset": offset, "played_duration": length, "type": "traverse", "engine_type": "2", "result": {
        "title": f"{_pick(draws, _FIRST)} {_pick(draws, _SECOND)}", "artists": [{"name": _pick(draws, _PEOPLE)}], "album": {"name": ""},
        "label": "", "external_ids": [], "external_metadata": []}}


def _custom(draws: Iterator[int], duration: float) -> dict:
    offset, length = _where(draws, duration, 75)
    return {"offset": offset, "played_duration": length, "type": "traverse", "engine_type": "1", "score": 90 + next(draws) % 11, "result": {
        "bucket_id": 20000 + next(draws) % 100, "title": f"Our catalogue {next(draws) % 900 + 100}", "artist": _pick(draws, _PEOPLE),
        "acrid": f"{next(draws):032x}", "audio_id": str(next(draws) % 10**6)}}


def _machine(draws: Iterator[int], duration: float) -> dict:
    likely = _pick(draws, _SERVICES)
    probability = round(0.86 + next(draws) % 13 / 100, 3)
    return {"prediction": "ai_generated", "likely_source": likely, "ai_probability": probability, "duration": round(duration, 1),
            "source_probabilities": [{"name": likely, "probability": probability}]}
