"""What the words of a search mean, in bytes of stored lines.

A search is a list of terms between white space; a line matches when it holds all of them. ASCII letters
match in either case. A term is looked for as the sender may have written it: as plain UTF-8, or with
JSON escapes (``caf\\u00e9``). The seq, the time and the checksum of a line are not searched: a term
of two digits would hit them everywhere.
"""

from __future__ import annotations

import json
import re

from hookserver.core.records import TAIL

MAX_TERMS = 8

#: Characters that JSON writes in one way only.
_PLAIN = re.compile(r"[ !#-.0-\[\]-~]+")


class Term:
    """One term: ``needle`` is a part of it that every way of writing it contains, ``spellings`` are these ways."""

    def __init__(self, text: str):
        clean = text.encode("utf-8", "replace")
        spellings = {clean, json.dumps(text)[1:-1].encode(), json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace"),
                     clean.replace(b"/", b"\\/")}
        self.spellings = tuple(sorted({spelling.lower() for spelling in spellings}))
        self.needle = max(_PLAIN.findall(text), key=len, default="").lower().encode()

    def is_in(self, folded: bytes, start: int, end: int) -> bool:
        """Whether one of the spellings stands in ``folded[start:end]``, a line in lower case."""
        return any(folded.find(spelling, start, end) >= 0 for spelling in self.spellings)


class Search:
    """A list of terms. ``needles`` narrow a read of the log; ``matches`` decides."""

    def __init__(self, text: str):
        self.terms = [Term(word) for word in text.split()[:MAX_TERMS]]
        self.needles = [term.needle for term in self.terms if term.needle]

    def matches(self, line: bytes) -> bool:
        """Whether a stored line holds all terms."""
        folded = line.lower()
        start = max(folded.find(b',"id":"'), 0)
        return all(term.is_in(folded, start, len(folded) - TAIL) for term in self.terms)
