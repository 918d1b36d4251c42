"""A stored request as a curl command that sends the same bytes again.

The signature headers are kept: they fit the body, so the server takes it (as a duplicate).
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterable
from urllib.parse import quote

from hookserver.core.records import REDACTED

LARGE_BODY = 16 * 1024  # bytes; above, the command reads the downloaded body from a file

#: What curl writes itself, or what only concerned the way here.
_NOT_SENT = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding", "expect", "keep-alive", "forwarded",
             "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-real-ip", "via", "te", "upgrade"}

_PATH = "/%?=&:@!$'()*+,;~-._[]{}|"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def curl_command(base_url: str, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes, event_id: str) -> str:
    """The command, for a POSIX shell. Header values that were redacted are left out."""
    parts = ["curl", "-g", "-X", shlex.quote(method), shlex.quote(base_url + quote(path, safe=_PATH))]
    for name, value in headers:
        if name.lower() not in _NOT_SENT and value != REDACTED and (name + value).isprintable():
            parts += ["-H", shlex.quote(f"{name}: {value}" if value else f"{name};")]
    if len(body) > LARGE_BODY:
        return " ".join([*parts, "--data-binary", shlex.quote(f"@{event_id}.json")])
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    # A leading @ would be a file name; control characters do not survive a terminal, or do things there.
    if not text.startswith("@") and not _CONTROL.search(text):
        return " ".join([*parts, "--data-binary", shlex.quote(text)])
    packed = base64.b64encode(body).decode()
    return f"printf %s {packed} | base64 -d | " + " ".join([*parts, "--data-binary", "@-"])
