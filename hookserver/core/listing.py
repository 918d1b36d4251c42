"""One entry of a list of files: what somebody has put up for us to fetch.

Two forms are read, the present one (``source_url``, ``r2_url``, ``provider``, ``created_at``, ``original_filename``) and the former one
(``url``, ``timestamp``, ``source``). Source: seed "Intégration Source Webhook".

What is listed is known by its link, whatever else is said of it: a list that stamps its entries anew each time it is asked
(the seed's own samples do) lists nothing new.

Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import msgspec

from hookserver.core.links import classify, identity, parse_link
from hookserver.core.times import parse_ms

DEFAULT_PROVIDER = "webhook"
MAX_NAME = 1000         # characters
MAX_KEY = 200

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.?)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)


class Listed(msgspec.Struct, frozen=True, gc=False):
    """``key`` is the same for two entries about one file. ``url`` leads people to it, ``copy`` (``r2_url``) is a copy that can be fetched.

    ``kind`` is the class of ``url`` (``core/links.py``); ``at`` Unix milliseconds; ``name`` what the file is to be called, as it was said.
    """

    key: str
    url: str
    kind: str
    copy: str | None
    provider: str
    at: int | None
    name: str | None


def read_entry(value: object, classes: Mapping[str, str] = {}) -> Listed:
    """An entry in either form. ``classes``: host -> class, beside those that are known. Raises ValueError that says what is wrong."""
    if not isinstance(value, dict):
        raise ValueError("not an object")
    member = "source_url" if value.get("source_url") not in (None, "") else "url"
    link = _text(value, member)
    if not link:
        raise ValueError("neither source_url nor url")
    try:
        target = parse_link(link)
    except ValueError as problem:
        raise ValueError(f"{member}: {problem}") from None
    return Listed(
        _key(identity(target)), target.origin + target.path, classify(target, classes), _copy(value),
        _text(value, "provider") or _text(value, "source") or DEFAULT_PROVIDER, _moment(value), _text(value, "original_filename"))


def split_list(body: bytes) -> list[bytes]:
    """The texts of the entries of a JSON list, whatever nonsense each of them is by itself. Raises ValueError when the list is none, or is not whole.

    In time linear in its length, and without recursion.
    """
    if not body.lstrip().startswith(b"["):
        raise ValueError("it does not begin with [")
    found, depth, start = [], 0, 0
    for token in _TOKEN.finditer(body):
        mark = token[0]
        if mark in b"[{":
            depth += 1
            if depth == 1:
                start = token.end()
        elif mark in b"]}":
            depth -= 1
            if depth == 0:
                if mark == b"}" or body[token.end():].strip():
                    raise ValueError("there is more behind its end")
                last = body[start:token.start()].strip()
                return found + [last] if last or found else []
        elif mark == b"," and depth == 1:
            found.append(body[start:token.start()].strip())
            start = token.end()
    raise ValueError("it has no end")


def _text(value: dict, member: str) -> str | None:
    found = value.get(member)
    if found is None:
        return None
    if not isinstance(found, str):
        raise ValueError(f"{member}: not a string")
    if member == "original_filename" and len(found) > MAX_NAME:
        raise ValueError(f"{member}: longer than {MAX_NAME} characters")
    return found.strip() or None


def _copy(value: dict) -> str | None:
    link = _text(value, "r2_url")
    if link is None:
        return None
    try:
        target = parse_link(link)
    except ValueError as problem:
        raise ValueError(f"r2_url: {problem}") from None
    return target.origin + target.path


def _moment(value: dict) -> int | None:
    member = "created_at" if value.get("created_at") is not None else "timestamp"
    text = _text(value, member)
    if text is None:
        return None
    try:
        return parse_ms(text)
    except ValueError:
        raise ValueError(f"{member}: not a time such as 2026-01-08T20:19:38+00:00") from None


def _key(text: str) -> str:
    return text if len(text) <= MAX_KEY else "sha256:" + hashlib.sha256(text.encode()).hexdigest()
