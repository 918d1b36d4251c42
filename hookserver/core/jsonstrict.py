"""JSON as RFC 8259 has it, and stricter where parsers disagree.

Refused: a byte order mark, anything that is not UTF-8, NaN and Infinity, numbers too large for a double
(``1e999``), integers of more than 4,000 digits, nesting deeper than 100, a key twice in one object,
and escapes that form half a surrogate pair. Each of these is read differently by different
programs, or breaks one further on. Integers of any allowed length keep their value.

Why not only ``json.loads``: besides JSONDecodeError it raises ValueError (long integers),
RecursionError (depth) and UnicodeDecodeError, and it accepts NaN, 1e999 and lone surrogates.
"""

from __future__ import annotations

import json
import math
import re

MAX_DEPTH = 100
MAX_DIGITS = 4000


class BadJSON(ValueError):
    """``reason`` says what is wrong; ``line`` and ``column`` count from 1, ``offset`` is in bytes from 0."""

    def __init__(self, reason: str, line: int, column: int, offset: int):
        super().__init__(f"{reason} (line {line}, column {column})")
        self.reason, self.line, self.column, self.offset = reason, line, column, offset


class _Stop(Exception):
    """A hook has found something wrong. The decoder does not tell a hook where it is."""


_TWICE = "a key stands twice in one object"
_CONSTANT = "NaN and Infinity are not JSON"
_HUGE = "a number too large for a double"
_LONG = f"an integer of more than {MAX_DIGITS} digits"


def parse(body: bytes, *, max_depth: int = MAX_DEPTH) -> object:
    """The value of a JSON text. Raises BadJSON and nothing else."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _at_byte("not UTF-8", body, error.start) from None
    if text.startswith("\ufeff"):
        raise BadJSON("starts with a byte order mark", 1, 1, 0)
    # Brackets inside strings count here too; only a text with many of them pays for the exact answer.
    if body.count(b"[") + body.count(b"{") > max_depth and _too_deep(body, max_depth):
        raise _at(f"nested more than {max_depth} levels deep", text, _place_of_depth(text, max_depth))
    decode = _decode_any if len(body) > MAX_DIGITS else _decode_short
    try:
        value = decode(text)
    except json.JSONDecodeError as error:
        raise _at(_PLAIN.get(error.msg, error.msg), text, error.pos) from None
    except _Stop as stop:
        raise _at(str(stop), text, _place_of(str(stop), text)) from None
    if b"\\u" in body and (lone := _lone_surrogate(text)) is not None:
        raise _at("half of a surrogate pair", text, lone)
    return value


# -- hooks of the decoder ------------------------------------------------------------------------

def _object(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Stop(_TWICE)
    return found


def _integer(digits: str) -> int:
    if len(digits) - digits.startswith("-") > MAX_DIGITS:
        raise _Stop(_LONG)
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _Stop(_HUGE)
    return value


def _constant(name: str):
    raise _Stop(_CONSTANT)


_HOOKS = {"object_pairs_hook": _object, "parse_float": _float, "parse_constant": _constant}
_decode_short = json.JSONDecoder(**_HOOKS).decode  # integers by the decoder's own, faster code
_decode_any = json.JSONDecoder(parse_int=_integer, **_HOOKS).decode

_PLAIN = {
    "Expecting value": "a value is expected",
    "Extra data": "something follows the value",
    "Expecting property name enclosed in double quotes": "a key in double quotes is expected",
    "Expecting ':' delimiter": "a colon is expected",
    "Expecting ',' delimiter": "a comma is expected",
    "Unterminated string starting at": "a string without end starts here",
    "Invalid control character at": "a control character stands in a string",
    "Invalid \\escape": "an unknown escape",
    "Invalid \\uXXXX escape": "an unfinished escape",
}

# -- depth ---------------------------------------------------------------------------------------

_QUOTED = re.compile(rb'"[^"]*+"?')
_ONE_SHAPE = bytes.maketrans(b"{}", b"[]")
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"'))


def _too_deep(body: bytes, max_depth: int) -> bool:
    """Take the innermost pairs of brackets away, level by level, and see whether that comes to an end."""
    # In few and quick steps, because no other thread runs during each. Once what is escaped is gone, quotes only begin and end
    # strings. A pair of quotes is a string without brackets, or what stands between two strings with nothing in between.
    marks = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    brackets = _QUOTED.sub(b"", marks.translate(_ONE_SHAPE, _NO_MARKS).replace(b'""', b""))
    for _ in range(max_depth):
        fewer = brackets.replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    # What is left now is unclosed, and the decoder says so, unless it is itself too deep.
    return brackets.count(b"[") > max_depth or b"[]" in brackets


def _place_of_depth(text: str, max_depth: int) -> int:
    depth = 0
    for token in _TOKENS.finditer(text):
        if token[0] in ("[", "{"):
            depth += 1
            if depth > max_depth:
                return token.start()
        elif token[0] in ("]", "}"):
            depth -= 1
    return len(text)


# -- where it is: slow, and used only when something is wrong ---------------------------------------

# A string without end matches as far as the text goes: each byte is looked at once, whatever comes.
_STRING = r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_TOKENS = re.compile(_STRING + r'|[\[\]{}:]|[^\s"\[\]{}:,]+', re.DOTALL)
_ESCAPES = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _lone_surrogate(text: str) -> int | None:
    """Position of the first escape that is half a surrogate pair and has no other half."""
    if not _SURROGATE.search(text):
        return None
    high = None  # the escape that waits for its other half
    for escape in _ESCAPES.finditer(text):
        unit = int(escape[1], 16) if escape[1] else 0
        if high is not None:
            if not (0xDC00 <= unit <= 0xDFFF and escape.start() == high + 6):
                return high
            high = None
        elif 0xD800 <= unit <= 0xDBFF:
            high = escape.start()
        elif 0xDC00 <= unit <= 0xDFFF:
            return escape.start()
    return high


def _place_of(reason: str, text: str) -> int:
    if reason == _TWICE:
        return _place_of_repetition(text)
    for token in _TOKENS.finditer(text):
        word = token[0]
        if (reason == _CONSTANT and word in ("NaN", "Infinity", "-Infinity")
                or reason == _LONG and len(word) > MAX_DIGITS and word.lstrip("-").isdigit()
                or reason == _HUGE and _is_huge(word)):
            return token.start()
    return 0


def _is_huge(word: str) -> bool:
    try:
        return word[0] in "-0123456789" and math.isinf(float(word))
    except ValueError:
        return False


def _place_of_repetition(text: str) -> int:
    """Position of the first key that its object has already."""
    stack: list[set[str]] = []
    last = None
    for token in _TOKENS.finditer(text):
        word = token[0]
        if word in ("{", "["):
            stack.append(set())
        elif word in ("}", "]"):
            if stack:
                stack.pop()
        elif word == ":" and stack and last is not None:
            key = json.loads(last[0])
            if key in stack[-1]:
                return last.start()
            stack[-1].add(key)
        last = token if word.startswith('"') else None
    return 0


def _at(reason: str, text: str, position: int) -> BadJSON:
    before = text[:position]
    return BadJSON(reason, before.count("\n") + 1, position - before.rfind("\n"), len(before.encode()))


def _at_byte(reason: str, body: bytes, offset: int) -> BadJSON:
    before = body[:offset]
    start = before.rfind(b"\n") + 1
    return BadJSON(reason, before.count(b"\n") + 1, len(before[start:].decode()) + 1, offset)
