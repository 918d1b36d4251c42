"""What the text of a search means, in bytes of stored lines.

A line matches when it holds the text exactly as typed, upper and lower case told apart, as with ``grep -F``:
folding the case of a whole log costs more than reading it. The text is looked for in each way in which
a sender may have written it inside JSON: as plain UTF-8, or with escapes (``caf\\u00e9``, ``\\/``).
Seq, time and checksum of a line are not searched: two digits would hit them everywhere.
"""

from __future__ import annotations

import json
import re

from hookserver.core.records import TAIL

#: Characters that JSON writes in one way only.
_PLAIN = re.compile(r"[ !#-.0-\[\]-~]+")
_HEX = re.compile(r"\\u([0-9a-f]{4})")


class Search:
    """``needle`` is the longest part of the text that every spelling contains; it may be empty."""

    def __init__(self, text: str):
        quoted = json.dumps(text)[1:-1]
        spellings = {text, quoted, _HEX.sub(lambda found: "\\u" + found[1].upper(), quoted), json.dumps(text, ensure_ascii=False)[1:-1]}
        spellings |= {spelling.replace("/", "\\/") for spelling in spellings}
        self.spellings = tuple(sorted(spelling.encode("utf-8", "replace") for spelling in spellings))
        self.needle = max(_PLAIN.findall(text), key=len, default="").encode()

    def matches(self, line: bytes) -> bool:
        """Whether a stored line (without LF) holds the text."""
        start, end = max(line.find(b',"id":"'), 0), len(line) - TAIL
        return any(line.find(spelling, start, end) >= 0 for spelling in self.spellings)
