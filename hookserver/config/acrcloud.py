"""The keys of a source of type ``acrcloud``: File Scanning of ACRCloud, its callbacks, its API, and what to make of results."""

from __future__ import annotations

import re

from hookserver.config import outgoing
from hookserver.config.destinations import retry_section
from hookserver.config.model import AcrcloudSource, UploadLimits
from hookserver.config.secrets import Context
from hookserver.config.sections import REQUIRED, Key, Section
from hookserver.config.tree import Node, Place
from hookserver.config.values import FLAG, SHARE, Kind, choice, duration, number, size
from hookserver.core.verdicts import VERDICTS, Thresholds

TYPE = "acrcloud"
PATH = "/acrcloud/webhook/file-scanning/"   # of the seed guide
REGIONS = ("eu-west-1", "us-west-2", "ap-southeast-1")
BODY = 16 << 20             # bytes; callbacks of 200 KB are usual, and nobody promises that there are no larger ones

WINDOW = 7 * 86_400         # seconds for which copies of a callback are known

_OURS = (TYPE,)
_CALLBACK_TOKEN = re.compile(rb"[A-Za-z0-9._~-]{16,200}")


def _callback_tokens(node: Node, context: Context) -> tuple[bytes, ...]:
    found = outgoing.secrets(node, context)
    if any(not _CALLBACK_TOKEN.fullmatch(token) for token in found):
        raise node.place.error("must be 16 to 200 letters, digits or -._~: it stands in a URL, and is all that protects it",
                               "for example generate:acrcloud")
    return found


def _build_verdict(values: dict, place: Place, context: Context) -> Thresholds:
    for lower, upper in (("review", "match"), ("ai_review", "ai_match")):
        if values[lower] > values[upper]:
            raise place.below(lower, place.line).error(f"must not be above {upper}")
    return Thresholds(**values)


def build(name: str, values: dict, place: Place, context: Context) -> AcrcloudSource:
    """The source. Raises ConfigError, in which no secret is printed."""
    tokens, token, container, mock = values["callback_token"], values["token"], values["container"], values["mock"]
    if values["dedup"]["key"] is not None:
        raise place.below("dedup.key", place.line).error("is not a key here; the file and its state make a callback what it is")
    if not mock and (token is None) != (container is None):
        missing = "token" if token is None else "container"
        raise place.below(missing, place.line).error("is missing", "the API needs both token and container; without it, leave both out")
    if not mock and token is None:
        context.warn(place, "has no token: nothing can be uploaded, and results are known only when a callback brings them")
    if mock:
        context.warn(place, "is a simulation (mock: true): no song is sent to ACRCloud")
    return AcrcloudSource(
        name=name, path=values["path"] or PATH, callback_tokens=tokens, token=token or None, container=container, mock=mock,
        api=values["api"] or f"https://api-{values['region']}.acrcloud.com/api", stuck_after=values["stuck_after"],
        timeout=values["timeout"], retry=values["retry"], verdict=values["verdict"], dedup_window=values["dedup"]["window"] or WINDOW,
        upload=values["upload"], body=values["limits"]["body"] or BODY, rate=values["limits"]["rate"])


CALLBACK_TOKENS = Kind(outgoing.KEYS.name, _callback_tokens, outgoing.KEYS.schema)

VERDICT = Section({
    "match": Key(number(0, 100), "85", "Score from which a match of music, or of a file of your own, makes the song a match."),
    "review": Key(number(0, 100), "60", "Score from which it makes the song one to review."),
    "covers": Key(choice(*VERDICTS), "review", "What a match without a score makes of the song; cover songs have none."),
    "ai_match": Key(SHARE, "0.9", "Probability of music made by a machine from which the song is a match."),
    "ai_review": Key(SHARE, "0.5", "Probability from which it is one to review."),
}, _build_verdict)

UPLOAD = Section({
    "largest": Key(size(1024), "512MiB", "Largest file of a song."),
    "quota": Key(size(1024), "8GiB", "Room for the files of songs that wait for their way to ACRCloud; above it, uploads are put off."),
}, lambda values, place, context: UploadLimits(**values))

KEYS = {
    "callback_token": Key(CALLBACK_TOKENS, REQUIRED, "Token at the end of the callback URL; nothing else tells a callback from a forgery. Of several, the first one is shown.", _OURS),
    "container": Key(number(1, 10**15), "", "Number of the File Scanning container.", _OURS),
    "region": Key(choice(*REGIONS), "eu-west-1", "Region of the container.", _OURS),
    "mock": Key(FLAG, "false", "true lets a simulator stand in for ACRCloud: the whole way without an account.", _OURS),
    "stuck_after": Key(duration(1), "15m", "When a song has been processing for so long, the API is asked; if that gives nothing, the song has failed.", _OURS),
    "timeout": Key(duration(0.1), "60s", "Time for one question to the API.", _OURS),
    "retry": Key(retry_section("[408, 425, 429, 5xx]", "0.1"), "{}", "When the API is asked again.", _OURS),
    "verdict": Key(VERDICT, "{}", "What is made of the results.", _OURS),
    "upload": Key(UPLOAD, "{}", "What may be handed in at /acrcloud/upload/.", _OURS),
}
