"""What the findings about a song amount to: nothing, something to look at, or a match.

The findings are facts of the log; what to make of them is a matter of configuration, so the two meet only here.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

CLEAR, REVIEW, MATCH = "clear", "review", "match"
VERDICTS = (CLEAR, REVIEW, MATCH)       # from the mildest to the gravest

MUSIC, COVERS, CUSTOM, AI = "music", "cover_songs", "custom_files", "ai_detection"     # kinds that count; speech does not

_NAMES = {MUSIC: "music", COVERS: "cover of", CUSTOM: "your own file"}


class Thresholds(msgspec.Struct, frozen=True):
    """``match`` and ``review``: scores (0 to 100) from which a match of music or of an own file is one. ``covers``: the verdict for
    a match without a score, as cover songs are. ``ai_match`` and ``ai_review``: probabilities (0 to 1) of music made by a machine."""

    match: int = 85
    review: int = 60
    covers: str = REVIEW
    ai_match: float = 0.9
    ai_review: float = 0.5


class Top(msgspec.Struct, frozen=True, gc=False):
    """The gravest match of a kind. ``score``: 0 to 100, None when there is none."""

    score: float | None = None
    title: str = ""
    artist: str = ""


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What was found, in short. ``counts`` and ``tops`` by kind; ``ai``: probability, 0 to 1, None when it was not looked for."""

    counts: dict[str, int] = {}
    tops: dict[str, Top] = {}
    ai: float | None = None


def of_score(score: float | None, thresholds: Thresholds) -> str:
    """The verdict on one match."""
    if score is None:
        return thresholds.covers
    return MATCH if score >= thresholds.match else REVIEW if score >= thresholds.review else CLEAR


def of_ai(probability: float, thresholds: Thresholds) -> str:
    """The verdict on the probability of music made by a machine."""
    return MATCH if probability >= thresholds.ai_match else REVIEW if probability >= thresholds.ai_review else CLEAR


def judge(facts: Facts, thresholds: Thresholds) -> tuple[str, list[str]]:
    """The verdict on a song, and a sentence for each finding that it rests on, the gravest first."""
    found = [(of_score(top.score, thresholds), _reason(kind, top, facts.counts)) for kind, top in facts.tops.items() if kind in _NAMES]
    if facts.ai is not None:
        found.append((of_ai(facts.ai, thresholds), f"made by a machine with a probability of {facts.ai:.0%}"))
    found = sorted((one for one in found if one[0] != CLEAR), key=lambda one: -VERDICTS.index(one[0]))
    return (found[0][0] if found else CLEAR), [reason for _, reason in found]


def _reason(kind: str, top: Top, counts: Mapping[str, int]) -> str:
    name = f"“{top.title}”" + (f" by {top.artist}" if top.artist else "") if top.title else "something without a title"
    score = "" if top.score is None else f", score {top.score:g}"
    more = counts.get(kind, 1) - 1
    return f"{_NAMES[kind]} {name}{score}" + (f", and {more} more" if more > 0 else "")
