"""Regular expressions whose cost is known: a text is read once, from its first character to its last.

Patterns come from the configuration, texts from strangers. Python's ``re`` goes back over a text, and a pattern such
as ``(a+)+$`` can keep it busy for hours. Here a pattern becomes a set of positions (Glushkov's automaton); the
positions that a text has reached are the bits of one number, and one step for each character moves them.
Steps that were made once are remembered.

What is known: characters, ``.`` (all but LF), ``[a-z]``, ``[^…]``, ``\\d \\w \\s`` and ``\\D \\W \\S`` (ASCII), ``\\n \\r \\t
\\xhh \\uhhhh``, a backslash before punctuation, ``( )``, ``(?: )``, ``|``, ``* + ? {n} {n,} {n,m}``, ``^`` and ``$`` (begin and end of
the text, and nothing else), ``(?i)`` at the very beginning. Not known, because they need memory or going
back: references, looking ahead or behind, ``\\b``. A pattern is found anywhere in a text unless ``^`` or ``$`` say otherwise.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_PATTERN = 500       # characters
MAX_POSITIONS = 200     # characters and classes, with counted repeats written out
MAX_DEPTH = 20          # groups in groups
LONGEST = 2000          # characters of a text that are looked at; a longer one has no end, so ``$`` does not match
REMEMBERED = 4000       # steps, and characters

_BEGIN, _END = "begin", "end"     # stand before and behind the characters of a text
_CLASSES = {"d": ((48, 57),), "w": ((48, 57), (65, 90), (95, 95), (97, 122)), "s": ((9, 13), (28, 32))}
_LETTERS = {"n": 10, "r": 13, "t": 9}
_COUNT = re.compile(r"\{(\d{1,3})(?:(,)(\d{1,3})?)?\}", re.ASCII)
_HEX = {"x": re.compile(r"[0-9a-fA-F]{2}"), "u": re.compile(r"[0-9a-fA-F]{4}")}
_ANY = ((0, 9), (11, 0x10FFFF))


class Pattern:
    """A compiled pattern. ``Pattern(text)`` raises ValueError, in plain words, for one that is not taken."""

    def __init__(self, text: str):
        self.text = text
        ignore_case = text.startswith("(?i)")
        tree = _Parser(text, 4 if ignore_case else 0).whole()
        if _size(tree) > MAX_POSITIONS:
            raise ValueError(f"has more than {MAX_POSITIONS} characters when its counted repeats are written out")
        self._ignore_case = ignore_case
        self._sets: dict[object, int] = {}      # ranges, _BEGIN or _END -> the positions that take them
        self._follow: list[int] = []
        self._nullable, self._first, self._last = self._build(tree)
        self._bytes = (len(self._follow) + 7) // 8
        self._unions: dict[tuple[int, int], int] = {}
        self._takers: dict[str, int] = {}
        self._steps: dict[tuple[int, str], int] = {}

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def search(self, text: str) -> bool:
        """Whether the pattern is found in ``text``."""
        if self._nullable:
            return True
        last, steps = self._last, self._steps
        reached = self._step(0, _BEGIN)
        if reached & last:
            return True
        for char in text[:LONGEST]:
            found = steps.get((reached, char))
            reached = self._step(reached, char) if found is None else found
            if reached & last:
                return True
        return len(text) <= LONGEST and self._step(reached, _END) & last != 0

    # -- one step ----------------------------------------------------------------------------------

    def _step(self, reached: int, char: str) -> int:
        """The positions that are reached when ``char`` comes: followers of the reached ones, or first ones, that take it."""
        after = self._first
        for place, part in enumerate(reached.to_bytes(self._bytes, "little")):
            if part:
                union = self._unions.get((place, part))
                after |= self._union(place, part) if union is None else union
        after &= self._sets.get(char, 0) if len(char) > 1 else self._taking(char)
        if len(self._steps) >= REMEMBERED:
            self._steps.clear()
        self._steps[reached, char] = after
        return after

    def _union(self, place: int, part: int) -> int:
        union = 0
        for bit in range(8):
            if part >> bit & 1:
                union |= self._follow[8 * place + bit]
        self._unions[place, part] = union
        return union

    def _taking(self, char: str) -> int:
        """The positions that take ``char``."""
        found = self._takers.get(char)
        if found is None:
            codes = {ord(char)}
            if self._ignore_case:
                codes |= {ord(other) for other in (char.lower(), char.upper()) if len(other) == 1}
            found = 0
            for ranges, positions in self._sets.items():
                if type(ranges) is tuple and any(low <= code <= high for low, high in ranges for code in codes):
                    found |= positions
            if len(self._takers) >= REMEMBERED:
                self._takers.clear()
            self._takers[char] = found
        return found

    # -- from tree to positions --------------------------------------------------------------------

    def _build(self, node: tuple) -> tuple[bool, int, int]:
        """(can be empty, first positions, last positions) of a part; notes which position follows which."""
        kind, inner = node[0], node[1]
        if kind == "take":
            bit = 1 << len(self._follow)
            self._follow.append(0)
            self._sets[inner] = self._sets.get(inner, 0) | bit
            return False, bit, bit
        if kind == "or":
            parts = [self._build(part) for part in inner]
            return any(part[0] for part in parts), _union_of(part[1] for part in parts), _union_of(part[2] for part in parts)
        if kind == "repeat":
            return self._repeat(inner, *node[2:])
        return self._chain(self._build(part) for part in inner)

    def _repeat(self, inner: tuple, least: int, most: int | None) -> tuple[bool, int, int]:
        parts = [self._build(inner) for _ in range(least or most is None)]
        if most is None:
            nullable, first, last = parts[-1]
            self._link(last, first)
            parts[-1] = (nullable or not least, first, last)
        else:
            parts += [(True, *self._build(inner)[1:]) for _ in range(most - least)]
        return self._chain(parts)

    def _chain(self, parts: Iterable[tuple[bool, int, int]]) -> tuple[bool, int, int]:
        nullable, first, last = True, 0, 0
        for empty, begins, ends in parts:
            self._link(last, begins)
            first |= begins if nullable else 0
            last = ends | (last if empty else 0)
            nullable &= empty
        return nullable, first, last

    def _link(self, froms: int, to: int) -> None:
        for place in range(froms.bit_length()):
            if froms >> place & 1:
                self._follow[place] |= to


def _union_of(masks: Iterable[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union


def _size(node: tuple) -> int:
    """How many positions a tree has, and at least 1: what is empty is built as often as it is repeated, too."""
    kind, inner = node[0], node[1]
    if kind == "take":
        return 1
    if kind == "repeat":
        least, most = node[2:]
        return _size(inner) * (max(least, 1) if most is None else most)
    return max(1, sum(_size(part) for part in inner))


class _Parser:
    """Text -> tree: ("take", ranges or an end of the text), ("and", parts), ("or", parts), ("repeat", part, least, most)."""

    def __init__(self, text: str, at: int):
        if len(text) > MAX_PATTERN:
            raise ValueError(f"is longer than {MAX_PATTERN} characters")
        self.text, self.at, self.depth = text, at, 0

    def whole(self) -> tuple:
        tree = self.choice()
        if self.at < len(self.text):
            raise self.wrong("a ) has no (")
        return tree

    def wrong(self, why: str) -> ValueError:
        return ValueError(f"{why} (character {self.at + 1} of {self.text!r})")

    def peek(self) -> str:
        return self.text[self.at:self.at + 1]

    def choice(self) -> tuple:
        parts = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else ("or", parts)

    def sequence(self) -> tuple:
        parts = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated(self.one()))
        return ("and", parts)

    def repeated(self, part: tuple) -> tuple:
        sign = self.peek()
        if sign not in ("*", "+", "?", "{") or not sign:
            return part
        if part in (("take", _BEGIN), ("take", _END)):
            raise self.wrong(f"{sign} has nothing to repeat")
        if sign == "{":
            least, most = self.count()
        else:
            self.at += 1
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        if self.peek() == "?":
            self.at += 1      # as few as possible: whether there is a match does not depend on it
        if self.peek() in ("*", "+", "?", "{") and self.peek():
            raise self.wrong("two repeats in a row")
        return ("repeat", part, least, most)

    def count(self) -> tuple[int, int | None]:
        found = _COUNT.match(self.text, self.at)
        if found is None:
            raise self.wrong("{ is no repeat such as {2} or {2,5}; for the character write \\{")
        least = int(found[1])
        most = least if not found[2] else int(found[3]) if found[3] else None
        if most is not None and most < least:
            raise self.wrong("a repeat that ends before it begins")
        self.at = found.end()
        return least, most

    def one(self) -> tuple:
        char = self.peek()
        if char in "*+?{":
            raise self.wrong(f"{char} has nothing to repeat")
        if char == "(":
            return self.group()
        self.at += 1
        if char == "[":
            return ("take", self.char_class())
        if char == "\\":
            return ("take", self.escape())
        if char in "^$":
            return ("take", _BEGIN if char == "^" else _END)
        return ("take", _ANY if char == "." else ((ord(char), ord(char)),))

    def group(self) -> tuple:
        self.at += 1
        if self.peek() == "?":
            if self.text[self.at:self.at + 2] != "?:":
                raise self.wrong("of the groups with (? only (?:…) is known here, and (?i) at the very beginning")
            self.at += 2
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.wrong(f"groups are nested more than {MAX_DEPTH} deep")
        tree = self.choice()
        self.depth -= 1
        if self.peek() != ")":
            raise self.wrong("a ( has no )")
        self.at += 1
        return tree

    def escape(self) -> tuple:
        """What follows a backslash, as ranges of code points."""
        char = self.peek()
        self.at += 1
        if char.lower() in _CLASSES and char:
            ranges = _CLASSES[char.lower()]
            return ranges if char.islower() else _others(ranges)
        if char in _HEX and char:
            found = _HEX[char].match(self.text, self.at)
            if found is None:
                raise self.wrong(f"\\{char} needs {2 if char == 'x' else 4} hexadecimal digits")
            self.at = found.end()
            return ((int(found[0], 16),) * 2,)
        if char in _LETTERS and char:
            return ((_LETTERS[char],) * 2,)
        if not char or char.isalnum():
            self.at -= 1
            raise self.wrong(f"\\{char} is not known here")
        return ((ord(char), ord(char)),)

    def char_class(self) -> tuple:
        """What stands between [ and ], as ranges of code points."""
        begin, negated = self.at, self.peek() == "^"
        self.at += negated
        ranges: list[tuple[int, int]] = []
        while self.peek() != "]" or not ranges:
            low = self.class_part(begin)
            if self.peek() == "-" and self.text[self.at + 1:self.at + 2] not in ("]", ""):
                self.at += 1
                high = self.class_part(begin)
                if len(low) > 1 or len(high) > 1 or low[0][0] != low[0][1] or high[0][0] != high[0][1] or high[0] < low[0]:
                    raise self.wrong("a range that is none")
                low = ((low[0][0], high[0][1]),)
            ranges += low
        self.at += 1
        return _others(tuple(ranges)) if negated else tuple(ranges)

    def class_part(self, begin: int) -> tuple:
        char = self.peek()
        if not char:
            self.at = begin - 1
            raise self.wrong("a [ has no ]")
        self.at += 1
        return self.escape() if char == "\\" else ((ord(char), ord(char)),)


def _others(ranges: tuple) -> tuple:
    """All code points that are in none of ``ranges``."""
    others, next_one = [], 0
    for low, high in sorted(ranges):
        if low > next_one:
            others.append((next_one, low - 1))
        next_one = max(next_one, high + 1)
    if next_one <= 0x10FFFF:
        others.append((next_one, 0x10FFFF))
    return tuple(others)
