"""Names for files that come from outside: kept to the letter where that is safe, made safe where it is not.

A name is one component of a path, never a path. Sources: RFC 6266 and RFC 8187 (Content-Disposition), OWASP's file upload
sheet, the naming rules of POSIX and Windows (files get copied on).

Pure.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

MAX_BYTES = 255         # of a name in UTF-8, on all common file systems
NAMELESS = "download"

_DEVICES = re.compile(r"(?:CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|COM[0-9¹²³]|LPT[0-9¹²³])(?:\.|$)", re.IGNORECASE)
#: Controls, marks that turn the direction of text, what no file name on Windows may hold, and lone surrogates.
_UNSAFE = re.compile('[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff<>:"|?*]')
_SUFFIX = re.compile(r"(?:\.[A-Za-z0-9_-]{1,12}){1,2}$")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PARAMETER = re.compile(rf";\s*([A-Za-z0-9!#$&+.^_`|~*-]+)\s*=\s*({_QUOTED}|[^;\s]*)")


def safe_name(text: str) -> str:
    """``text`` itself when it is safe (``61 Camille.zip``); else the nearest name that is. Never empty, never a path.

    Of a path the last part is taken. A name that a program could take for an option, or that is hidden, gets a ``_`` in front.
    """
    name = re.split(r"[/\\]", text)[-1]
    name = _UNSAFE.sub("_", name).strip(" ").rstrip(". ")
    if not name.strip("._ "):
        return NAMELESS
    if name[0] in ".-~" or _DEVICES.match(name):
        name = "_" + name
    return _cut(name, MAX_BYTES)


def numbered(name: str, number: int) -> str:
    """``61 Camille.zip``, 2 -> ``61 Camille (2).zip``."""
    stem, suffix = _parted(name)
    mark = f" ({number})"
    return _cut(stem, MAX_BYTES - len((mark + suffix).encode())) + mark + suffix


def disposition_name(header: str) -> str | None:
    """The file name of a Content-Disposition, made safe; ``filename*`` before ``filename``. None when there is none."""
    plain = None
    for name, value in _PARAMETER.findall(header[:8192].partition(";")[1] + header[:8192].partition(";")[2]):
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        if name.lower() == "filename*":
            charset, _, rest = value.partition("'")
            encoded = rest.partition("'")[2]
            if charset.lower() in ("utf-8", "iso-8859-1") and encoded:
                return safe_name(unquote_to_bytes(encoded).decode(charset, "replace"))
        elif name.lower() == "filename" and value and plain is None:
            plain = value
    if plain is None:
        return None
    try:
        plain = plain.encode("latin-1").decode()    # many servers write plain UTF-8
    except UnicodeError:
        pass
    return safe_name(plain)


def _parted(name: str) -> tuple[str, str]:
    found = _SUFFIX.search(name, 1)
    return (name[:found.start()], found[0]) if found else (name, "")


def _cut(name: str, most: int) -> str:
    """At most ``most`` bytes, with the suffix if there is room for it."""
    if len(name.encode()) <= most:
        return name
    stem, suffix = _parted(name)
    room = most - len(suffix.encode())
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip(". ") + suffix
