"""What is known of the program cloudflared: how it is started, and what its output and its answers say.

Sources: the program's own source (cloudflare/cloudflared, August 2026) and its documentation. Its log goes to standard error, a line
for each message, or a JSON object for each. The address of a quick tunnel stands in a box of such lines, and is told before the
tunnel is connected; ``GET /quicktunnel`` and ``GET /ready`` of its metrics server say both better. Old versions have no ``/quicktunnel``,
so the lines are the fallback.

Pure.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from hookserver.config.model import TunnelSettings

GRACE = 3   # seconds that requests under way get when it is to end

_HOST = r"[a-z0-9]+(?:-[a-z0-9]+)+\.trycloudflare\.com"     # two words at least: not "api"
_ADDRESS = re.compile(rb"https://(" + _HOST.encode() + rb")(?![A-Za-z0-9.:@-])")
_QUICK_HOST = re.compile(_HOST, re.ASCII)
_LIMITED = re.compile(rb"error code: 1015|429 Too Many Requests")
_CONNECTION = re.compile(rb'connIndex\W{1,4}(\d{1,3})')
_REGISTERED = b"Registered tunnel connection"
_LOST = (b"Unregistered tunnel connection", b"Connection terminated", b"Lost connection with the edge", b"Serve tunnel error")
#: A line without any of these says nothing that is looked for.
TELLING = (b"trycloudflare.com", b"429 Too Many", b"1015", b"onnection", b"Serve tunnel error", b" ERR ", b" FTL ", b'"error"', b'"fatal"',
           b"failed to", b"Provided Tunnel token")

_FRONT = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z?\s+(ERR|FTL|PNC)\s+")
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_TOLD = 300     # characters of an error that are shown


def command(program: str, settings: TunnelSettings, *, port: int, metrics: int, empty: Path) -> list[str]:
    """The command line. ``port``: where requests are to go; ``empty``: a configuration file with nothing in it.

    Without that file cloudflared would look for one in the home directory, and a catch-all rule there swallows every request.
    The token of a named tunnel is given as a file: a command line can be read by everybody on the machine.
    """
    words = [program, "tunnel", "--config", str(empty), "--no-autoupdate", "--metrics", f"127.0.0.1:{metrics}", "--grace-period", f"{GRACE}s"]
    if settings.protocol != "auto":
        words += ["--protocol", settings.protocol]
    if settings.type == "named":
        return [*words, "run", "--token-file", str(settings.token_file)]
    return [*words, "--url", f"http://127.0.0.1:{port}"]


class Findings:
    """What the lines of one run have said so far. Written by the thread that reads them, read by the loop."""

    def __init__(self):
        self.url = ""               # of a quick tunnel
        self.limited = False        # Cloudflare gives no more quick tunnels to this address for now
        self.error = ""             # the last error, for people
        self._connections: frozenset[int] = frozenset()

    @property
    def connected(self) -> bool:
        """Whether a connection to Cloudflare stands, as far as the lines tell."""
        return bool(self._connections)

    def line(self, line: bytes) -> None:
        """One line, without its end."""
        line = _COLOUR.sub(b"", line)
        if found := _ADDRESS.search(line):
            self.url = f"https://{found[1].decode()}"
        if _LIMITED.search(line):
            self.limited = True
        number = _CONNECTION.search(line)
        if _REGISTERED in line:
            self._connections |= {int(number[1]) if number else 0}
        elif any(words in line for words in _LOST):
            self._connections -= {int(number[1])} if number else self._connections
        self.error = error_in(line.decode("utf-8", "replace").strip()) or self.error


def error_in(line: str) -> str:
    """The message of a line that tells an error, shortened; else empty. That our configuration is empty is meant so."""
    if line.startswith("{"):
        message = _from_json(line)
    else:
        front = _FRONT.match(line)
        message = line[front.end():] if front else line if line.startswith(("failed to", "error", "Error", "Provided Tunnel token")) else ""
    return "" if message.startswith("Configuration file ") else "".join(sign if sign.isprintable() else "�" for sign in " ".join(message.split())[:_TOLD])


def _from_json(line: str) -> str:
    try:
        found = json.loads(line)
        if found["level"] in ("error", "fatal", "panic"):
            return f"{found['message']} {found.get('error', '')}".strip()
    except (ValueError, KeyError, TypeError, RecursionError):
        pass    # it only looks like JSON
    return ""


def quick_address(body: bytes) -> str:
    """The address in an answer of /quicktunnel; empty when there is none, or it is none of Cloudflare's."""
    try:
        host = json.loads(body)["hostname"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return f"https://{host}" if isinstance(host, str) and _QUICK_HOST.fullmatch(host) else ""


class Pauses:
    """How long to wait after a run that has ended, in seconds: 1, 2, 4 … 60, from the beginning again after a stable run.

    Where Cloudflare limits quick tunnels, each further request makes it longer: 5 to 30 minutes.
    """

    STABLE = 60.0   # seconds of being reachable
    FIRST, MOST = 1.0, 60.0
    LIMITED, MOST_LIMITED = 300.0, 1800.0

    def __init__(self):
        self._failures = self._limits = 0

    def after(self, *, up: float, limited: bool) -> float:
        """``up``: seconds for which the tunnel was reachable; ``limited``: the service said 429."""
        if up >= self.STABLE:
            self._failures = self._limits = 0
        if limited:
            self._limits += 1
            return min(self.LIMITED * 2 ** min(self._limits - 1, 10), self.MOST_LIMITED)
        self._failures += 1
        return min(self.FIRST * 2 ** min(self._failures - 1, 10), self.MOST)
