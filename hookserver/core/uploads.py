"""One file in a form, read as it comes: multipart/form-data (RFC 7578) in, pieces of the file out. Nothing is gathered but small fields.

The parser is the package ``multipart``: it does no I/O, takes any chunking, bounds headers, and its speed (270 MB/s at the worst of what was
tried: random bytes, line ends only, boundaries that are almost right) does not depend on what is sent. What is ours is the rule
that a form has one file and a few short fields.

Pure.
"""

from __future__ import annotations

import re

import msgspec
from multipart import MultipartError, PushMultipartParser, content_disposition_quote, parse_options_header

MAX_NAME = 255      # characters of a file's name, and of a song's
MAX_FIELD = 4096    # bytes of a field
MAX_FIELDS = 16
FORM = "multipart/form-data"

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class BadUpload(ValueError):
    """Why this is no form with one file, as a sentence without its dot."""


class UploadReader:
    """Reads one form. ``filename`` is None until the file begins, ``size`` counts its bytes, ``fields`` are those seen so far.

    ``complete``: the form has ended as it should. ``feed`` and ``end`` raise BadUpload, and nothing else.
    """

    def __init__(self, content_type: str):
        """``content_type``: the header of the request. Raises BadUpload."""
        kind, options = parse_options_header(content_type)
        if kind != FORM:
            raise BadUpload(f"the content type is not {FORM}")
        try:
            self._parser = PushMultipartParser(options.get("boundary", ""), max_segment_count=MAX_FIELDS + 1, strict=False)
        except (MultipartError, ValueError) as error:
            raise BadUpload(f"the boundary cannot be used: {error}") from None
        self.filename: str | None = None
        self.content_type = ""
        self.size = 0
        self.fields: dict[str, str] = {}
        self.complete = False
        self._field: tuple[str, bytearray] | None = None    # the one that is being read

    def feed(self, chunk: bytes) -> list[bytes]:
        """The pieces of the file in the next bytes of the body."""
        pieces: list[bytes] = []
        try:
            if self._parser.closed or not chunk:
                return pieces   # what comes after the end means nothing (RFC 2046, 5.1.1)
            for event in self._parser.parse(chunk):
                if event is None:
                    self._part_ended()
                elif not isinstance(event, (bytes, bytearray)):
                    self._part_begins(event)
                elif self._field is None:
                    pieces.append(bytes(event))
                    self.size += len(event)
                else:
                    self._field[1].extend(event)
                    if len(self._field[1]) > MAX_FIELD:
                        raise BadUpload(f"a field is longer than {MAX_FIELD} bytes")
        except (MultipartError, UnicodeError) as error:
            raise BadUpload(f"the form is malformed: {error}") from None
        return pieces

    def end(self) -> None:
        """The body has ended; the form has to have ended, too, and to have had a file."""
        try:
            self._parser.close()
        except MultipartError:
            raise BadUpload("the form is cut off") from None
        if self.filename is None:
            raise BadUpload("the form has no file")
        self.complete = True

    def _part_begins(self, segment) -> None:
        if segment.filename is None:
            self._field = (segment.name[:MAX_NAME], bytearray())
        elif self.filename is not None:
            raise BadUpload("the form has more than one file")
        else:
            self._field, self.filename, self.content_type = None, shown_name(segment.filename), (segment.content_type or "")[:MAX_NAME]

    def _part_ended(self) -> None:
        if self._field is not None:
            name, value = self._field
            self.fields[name] = value.decode("utf-8", "replace")
            self._field = None


def shown_name(name: str) -> str:
    """A file's name as it is kept and shown: without directories and without characters that cannot be seen; never empty."""
    name = _UNSEEN.sub("", name.replace("\\", "/").rpartition("/")[2]).strip()
    return name[:MAX_NAME] or "unnamed"


class Form(msgspec.Struct, frozen=True):
    """What stands around a file in the form that carries it. ``before`` + the file + ``after`` is the body."""

    content_type: str
    before: bytes
    after: bytes


def form_around(fields: dict[str, str], filename: str, content_type: str, boundary: str) -> Form:
    """A form with ``fields`` and one file, under the name ``file``. ``boundary`` is random, so that it is not in the file."""
    lines = []
    for name, value in fields.items():
        lines += [f"--{boundary}", f'Content-Disposition: form-data; name="{name}"', "", value]
    lines += [f"--{boundary}", f'Content-Disposition: form-data; name="file"; filename={content_disposition_quote(filename)}',
              f"Content-Type: {content_type}", "", ""]
    return Form(f"{FORM}; boundary={boundary}", "\r\n".join(lines).encode(), f"\r\n--{boundary}--\r\n".encode())
