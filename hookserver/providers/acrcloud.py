"""ACRCloud File Scanning: what its container posts to us when it is done with a file.

Source: docs.acrcloud.com, "File Scanning" and "FS Containers"; the body that the seed guide's own project has captured:
``{"file_id": "<uuid>", "state": 1, "cid": 1234, "name": "…", "results": {…}}``. The guide itself shows
``{"file_id": "…", "status": "completed"}``, which brings no results. Both are taken. What the documents leave open, and what we do:

- Nothing is signed. A token at the end of the path, or ``?token=`` behind it, is all that tells a callback from a forgery.
- An authentic callback of any other shape is stored as type ``callback`` and answered 200: nothing is known of what ACRCloud
  does with another answer.
- A callback is the same as another one when file and state are; a state is a number here and a word there, so the two shapes
  of one end are two events.
- Some have met ``results`` as JSON within a string.
- ``GET`` without a token is the guide's health check.

Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from urllib.parse import unquote_plus

import msgspec

from hookserver.core.bodies import ANY
from hookserver.core.records import REDACTED
from hookserver.core.requests import Answer, InboundRequest
from hookserver.core.scans import READY, RESULTS, UNKNOWN, is_id, said
from hookserver.core.signatures import Verdict
from hookserver.providers.receiver import Examined, Unfit, key_of, parse_body, refusal_of, stored

NAME = "acrcloud"
TOKEN = "token"     # its name in the query

_HEALTH = Answer(200, b'{"status":"ok","message":"ACRCloud posts its callbacks here."}')


def file_of(value: object) -> str | None:
    """The id of the file that a callback is about."""
    found = value.get("file_id") if isinstance(value, dict) else None
    return found if is_id(found) else None


def type_of(value: object) -> str:
    """What a callback says of its file."""
    if file_of(value) is None:
        return UNKNOWN
    return said(value.get("state"), value.get("status"))


def title(payload: dict) -> str:
    """One line that says what an event is about: ``x.mp3: ready``."""
    name = next((text for key in ("name", "file_id", "song") if isinstance(text := payload.get(key), str) and text), "a file")
    name = "".join(char if char.isprintable() else " " for char in name[:200])
    if "song" in payload:
        return f"{name}: handed in"
    known = type_of(payload)
    return name if known == UNKNOWN else f"{name}: {known.removeprefix('file.').replace('_', ' ')}"


def brings_results(value: dict) -> bool:
    """Whether the results are in the callback, as JSON or as JSON within a string."""
    for name in ("results", "result"):
        results = value.get(name)
        if isinstance(results, str):
            results = parse_body(results.encode())
        if isinstance(results, dict) and results:
            return True
    return False


class Acrcloud(msgspec.Struct, frozen=True):
    """``path``: of the source, without the token and without a final slash. ``tokens``: any of them will do."""

    path: str
    tokens: tuple[bytes, ...]
    name: str = NAME
    methods: tuple[str, ...] = ("GET", "POST")
    content_types: frozenset[str] = frozenset({ANY})
    recalls: bool = False

    def __repr__(self) -> str:
        return f"Acrcloud({self.path!r}, <{len(self.tokens)} tokens hidden>)"

    def examine(self, request: InboundRequest) -> Examined | Unfit | Answer:
        """The token first, JSON only of what is authentic."""
        given = self._tokens_in(request.path, request.query)
        if request.method == "GET" and not given:
            return _HEALTH
        verdict = self._check(given)
        if not verdict.ok:
            return refusal_of(verdict)
        if request.method == "GET":
            return _HEALTH
        value = parse_body(request.body)
        if type(value) is Unfit:
            return Examined(verdict, UNKNOWN, None, None, is_json=False)
        file, type_ = file_of(value), type_of(value)
        key = None if file is None else key_of([file, _stated(value)])
        return Examined(verdict, type_, key, value, tasks=(RESULTS,) if type_ == READY and not brings_results(value) else ())

    def refuses(self, path: str, query: str) -> Unfit | None:
        """The refusal of a request with this path and query, whatever its body is."""
        verdict = self._check(self._tokens_in(path, query))
        return None if verdict.ok else refusal_of(verdict)

    def _check(self, given: list[str]) -> Verdict:
        if not given:
            return Verdict(False, "the callback token is missing: it is the end of the path, or ?token=", code="signature_missing")
        if len(given) > 1:
            return Verdict(False, "more than one callback token is given", code="signature_mismatch")
        wanted, matched = given[0].encode("utf-8", "surrogateescape"), None
        for number, token in enumerate(self.tokens):
            if hmac.compare_digest(token, wanted):
                matched = number
        if matched is None:
            return Verdict(False, f"the callback token matches none ({len(self.tokens)} tried)", code="signature_mismatch")
        return Verdict(True, f"the callback token matches secret {matched + 1} of {len(self.tokens)}", secret=matched)

    def _tokens_in(self, path: str, query: str) -> list[str]:
        behind = path[len(self.path):].strip("/")
        return ([unquote_plus(behind)] if behind else []) + [
            unquote_plus(part.partition("=")[2]) for part in _parts(query) if _is_token(part)]

    def kept(self, request: InboundRequest) -> InboundRequest:
        """Without the token, whether it is the right one or not."""
        path, query = request.path, request.query
        behind = path[len(self.path):].strip("/")
        if behind:
            path = f"{self.path}/{REDACTED}"
        if query:
            query = "&".join(f"{part.partition('=')[0]}={REDACTED}" if _is_token(part) else part for part in _parts(query))
        return request if path == request.path and query == request.query else msgspec.structs.replace(request, path=path, query=query)

    def success(self, examined: Examined, event: str, duplicate: bool) -> Answer:
        return stored(event, duplicate)


def _parts(query: str) -> Iterator[str]:
    return iter(query.split("&")) if query else iter(())


def _is_token(part: str) -> bool:
    """However the name is escaped."""
    return unquote_plus(part.partition("=")[0]).lower() == TOKEN


def _stated(value: dict) -> object:
    """The state as it was sent; what is none of a number or a text does not tell two callbacks apart."""
    state = value.get("state")
    state = value.get("status") if state is None else state
    return state if isinstance(state, (int, str)) else None
