"""The line format of the log: drafts in, lines out, lines in, records and raw bodies out.

One record is one line of strict UTF-8 JSON ended by one LF. ``hookserver/store/FORMAT.md`` is the
specification; this module is the only place of the program that writes or takes apart a line.

A *line* is the bytes of one record. ``Draft.line`` returns it with its LF; every function that
takes a line accepts it with or without that LF.

Pure: no clock, no files. Times are milliseconds since the Unix epoch.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from datetime import datetime, timezone
from typing import Iterable, Mapping, Sequence
from zlib import crc32

import msgspec

EVENT = "event.received"
TAIL = 18                    # length of ,"crc":"xxxxxxxx"}
REDACTED = "[redacted]"
SENSITIVE = frozenset({"authorization", "cookie", "proxy-authorization"})

_START = re.compile(rb'\{"seq":([1-9][0-9]{0,14}),"batch":([1-9][0-9]{0,14}),"at":"')
_LAST_SECOND = 253402300799  # 9999-12-31T23:59:59Z, the last one an ISO date can name
_encode = msgspec.json.Encoder().encode


class BadLine(ValueError):
    """These bytes are not a whole record. ``reason`` says why, in a few words."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A record that has no seq yet.

    ``head``: the members between ``id`` and ``payload`` as JSON without braces, may be empty.
    ``payload``: one JSON value. Both strict UTF-8 JSON without LF. ``kind`` is plain ASCII
    without quotes. ``source`` and ``type`` are for the segment's counts only, "" = not counted.
    """

    kind: str
    head: bytes
    payload: bytes
    source: str = ""
    type: str = ""

    def line(self, seq: int, batch: int, at_ms: int, store_id: str) -> bytes:
        """The record as stored, with its LF."""
        comma = b"," if self.head else b""
        body = b'{"seq":%d,"batch":%d,"at":"%b","kind":"%b","id":"%b"%b%b,"payload":%b' % (
            seq, batch, iso_ms(at_ms).encode(), self.kind.encode(), event_id(store_id, seq).encode(),
            comma, self.head, self.payload)
        return b'%b,"crc":"%08x"}\n' % (body, crc32(body))


class Record(msgspec.Struct, gc=False):
    """One record, decoded. Fields are those of FORMAT.md, chapter "Log line".

    Kinds other than ``event.received`` leave the event's fields at their defaults. ``payload``
    is the JSON text of the payload, not yet decoded; so are the two ``*_json`` fields, which
    ``headers`` and ``checks`` decode when asked (a fold never asks).
    """

    seq: int
    batch: int
    at: datetime
    kind: str
    id: str = ""
    source: str = ""
    provider: str = ""
    type: str = ""
    key: str | None = None
    app: str | None = None
    job: str | None = None
    method: str = ""
    path: str = ""
    client: str = ""
    headers_json: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"{}"), name="headers")
    checks_json: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"{}"), name="checks")
    to: list[str] = []
    size: int = 0
    lf: str | None = None
    raw: str | None = None
    raw_b64: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def headers(self) -> dict[str, str | list[str]]:
        """Header name -> its value, or the list of its values when it came more than once."""
        return msgspec.json.decode(self.headers_json)

    @property
    def checks(self) -> dict[str, str]:
        """Check -> the verdict, in words."""
        return msgspec.json.decode(self.checks_json)

    @property
    def at_ms(self) -> int:
        """``at`` in milliseconds since the Unix epoch."""
        return _to_ms(self.at)


class _EventHead(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """The members of an event between ``id`` and ``payload``, in their order on the line."""

    source: str
    provider: str
    type: str
    key: str | None
    app: str | None
    job: str | None = None
    method: str
    path: str
    client: str
    headers: dict[str, str | list[str]]
    checks: dict[str, str]
    to: list[str]
    size: int
    lf: str | None = None
    raw: str | None = None
    raw_b64: str | None = None


class _Sizes(msgspec.Struct, gc=False):
    """What ``raw_body`` needs of a line."""

    size: int = 0
    lf: str | None = None
    raw: str | None = None
    raw_b64: str | None = None


_decode_record = msgspec.json.Decoder(Record).decode
_decode_sizes = msgspec.json.Decoder(_Sizes).decode


def event_draft(*, source: str, provider: str, type: str, method: str, path: str, client: str,
                headers: Iterable[tuple[str, str]], body: bytes, is_json: bool,
                key: str | None = None, app: str | None = None, job: str | None = None,
                checks: Mapping[str, str] | None = None, to: Sequence[str] = ()) -> Draft:
    """The draft of an accepted request.

    ``is_json``: the caller has parsed ``body`` and found it strict JSON in UTF-8 without a BOM
    (``jsonstrict.parse``); only such a body is embedded. ``headers`` are (name, value) pairs as
    they came; the values of sensitive ones are not stored. Never raises for odd text: lone
    surrogates are written as ``\\udcxx`` in plain characters.
    """
    lf = raw = raw_b64 = None
    payload = body
    if not is_json:
        payload = b"null"
        raw, raw_b64 = _as_text(body)
    elif b"\n" in body:
        if b"\t" in body:
            # A line of JSON starts and ends outside strings, so its ends hold only white space.
            payload = b"".join(map(bytes.strip, body.split(b"\n")))
            raw = body.decode()
        else:
            payload = body.replace(b"\n", b"\t")
            lf = "tab"
    head = _EventHead(source=source, provider=provider, type=type, key=key, app=app, job=job, method=method, path=path, client=client,
                      headers=_folded(headers), checks=dict(checks) if checks else {}, to=list(to), size=len(body), lf=lf, raw=raw,
                      raw_b64=raw_b64)
    try:
        text = _encode(head)
    except UnicodeEncodeError:
        text = _encode(_without_surrogates(msgspec.to_builtins(head)))
    return Draft(EVENT, text[1:-1], payload, source, type)


def check_line(line: bytes) -> tuple[int, int]:
    """(seq, batch) of a whole record; its form at both ends and its CRC are right.

    Raises BadLine. Costs about a microsecond; does not parse the JSON between.
    """
    if line[-1:] == b"\n":
        line = line[:-1]
    start = _START.match(line)
    if start is None:
        raise BadLine("does not start like a record")
    tail = line[-TAIL:]
    if tail[:8] != b',"crc":"' or tail[16:] != b'"}':
        raise BadLine("does not end like a record")
    if b"%08x" % crc32(line[:-TAIL]) != tail[8:16]:
        raise BadLine("CRC does not match")
    if b"\n" in line:
        raise BadLine("holds a line feed")
    seq, batch = int(start[1]), int(start[2])
    if batch > seq:
        raise BadLine("batch is above seq")
    return seq, batch


def decode(line: bytes) -> Record:
    """The record in a line. Raises BadLine when its JSON is not that of a record.

    Does not check the CRC: lines that come from the store were checked there.
    """
    try:
        return _decode_record(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(str(error)) from None


def raw_body(line: bytes) -> bytes:
    """The body of the request exactly as it arrived. Raises BadLine."""
    try:
        sizes = _decode_sizes(line)
        if sizes.raw_b64 is not None:
            return b64decode(sizes.raw_b64, validate=True)
        if sizes.raw is not None:
            return sizes.raw.encode()
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadLine(str(error)) from None
    end = len(line) - TAIL - (line[-1:] == b"\n")
    if not 0 <= sizes.size <= end:
        raise BadLine("size is larger than the line")
    body = line[end - sizes.size:end]
    return body.replace(b"\t", b"\n") if sizes.lf == "tab" else body


def event_id(store_id: str, seq: int) -> str:
    """The address of a record: unique across machines through the store's random id."""
    return f"evt_{store_id}_{seq}"


def iso_ms(at_ms: int) -> str:
    """``2026-11-22T03:45:38.799Z``. Times outside the years 1970 to 9999 are clamped."""
    global _second
    second, ms = divmod(at_ms, 1000)
    known, text = _second
    if second != known:
        second = min(max(second, 0), _LAST_SECOND)
        text = datetime.fromtimestamp(second, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.")
        _second = (second, text)
    return f"{text}{ms:03d}Z"


_second = (0, "1970-01-01T00:00:00.")  # the last second formatted; most calls ask for it again
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _to_ms(at: datetime) -> int:
    passed = at - _EPOCH
    return passed.days * 86_400_000 + passed.seconds * 1000 + passed.microseconds // 1000


def _as_text(body: bytes) -> tuple[str | None, str | None]:
    try:
        return body.decode(), None
    except UnicodeDecodeError:
        return None, b64encode(body).decode()


def _folded(headers: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    """One entry per name, case ignored, spelt as it first came; repeated ones become a list."""
    folded: dict[str, str | list[str]] = {}
    spelling: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in SENSITIVE:
            value = REDACTED
        name = spelling.setdefault(lower, name)
        before = folded.get(name)
        if before is None:
            folded[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            folded[name] = [before, value]
    return folded


def _without_surrogates(value):
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
    return value
