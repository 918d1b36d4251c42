"""Links to files that people share: which service a link belongs to, what of it makes two links the same, and how a file is asked for.

A service is told by the parsed host, never by a part of the text: ``dropbox.com.evil.example`` is nobody's. Sources: seed "Intégration Source
Webhook"; Dropbox's help and forum on shared links (``dl``, ``raw``, ``rlkey``).

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from hookserver.core.guard import PORTS, Target, parse_url

DROPBOX, FROMSMASH, SWISSTRANSFER, EXTERNAL = "dropbox", "fromsmash", "swisstransfer", "external"
CLASSES = (DROPBOX, FROMSMASH, SWISSTRANSFER, EXTERNAL)
AUTOMATIC = frozenset({DROPBOX})    # what can be fetched without a person; the others are pages to be opened

#: Host -> class; each host stands for its subdomains too.
HOSTS = {
    "dropbox.com": DROPBOX, "dropboxusercontent.com": DROPBOX,
    "fromsmash.com": FROMSMASH,
    "swisstransfer.com": SWISSTRANSFER,
}
_HOW_SHOWN = frozenset({"dl", "raw"})   # parameters of Dropbox that say how a link is shown, and not where it leads
_WRITABLE = "!$%&'()*+,-./:;=?@[]_~"    # what a link may hold as it is


def parse_link(text: str) -> Target:
    """A link as people paste it: white space around it, a fragment, spaces and letters of all scripts are mended.

    What is read is what will be asked for. Raises ValueError that says what is wrong.
    """
    text = text.strip().partition("#")[0]
    if "\\" in text:
        raise ValueError("a backslash")
    try:
        return parse_url(quote(text, safe=_WRITABLE))
    except UnicodeEncodeError:
        raise ValueError("characters that are none (lone surrogates)") from None


def classify(target: Target, more: Mapping[str, str] = {}) -> str:
    """The class of a link. ``more``: host -> class, stronger than ours; the longest host that fits decides."""
    labels = target.host.split(".")
    for start in range(len(labels)):
        host = ".".join(labels[start:])
        found = more.get(host) or HOSTS.get(host)
        if found:
            return found
    return EXTERNAL


def is_dropbox(target: Target) -> bool:
    """Whether the link leads to Dropbox itself, whatever somebody calls it."""
    return classify(target) == DROPBOX


def identity(target: Target) -> str:
    """The same for two links to one thing: the scheme does not matter, nor how Dropbox is asked to show it."""
    host, path = target.host, target.path
    if is_dropbox(target):
        host = host.removeprefix("www.")
        path, _, query = path.partition("?")
        kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in _HOW_SHOWN]
        path += "?" + "&".join(sorted(kept)) if kept else ""
    port = "" if target.port in PORTS.values() else f":{target.port}"
    return f"{host}{port}{path}"


def direct(target: Target) -> str:
    """The URL that gives the file itself. Dropbox is told so by ``dl=1``; ``rlkey``, without which it asks people to sign in, is kept."""
    path = target.path
    if is_dropbox(target):
        path, _, query = path.partition("?")
        kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in _HOW_SHOWN]
        path += "?" + "&".join([*kept, urlencode({"dl": 1})])
    return target.origin + path
