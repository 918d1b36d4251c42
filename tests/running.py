"""A whole server inside the test process: the real App, real files, a real port, on a loop of its own in a thread."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from pathlib import Path

from hookserver import config
from hookserver.app import App

from tests.wire import Wire, agora_post, request_bytes

SECRET = "a secret for tests"

CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
store: {{dir: data, segment_size: 1MiB}}
limits: {{rate: 1000000/s, {limits}}}
sources:
  calls:
    type: agora
    apps:
      demo: {{secrets: ["{secret}"]}}
      open: {{verify: none}}
"""


def write_conf(home: Path, *, port: int = 0, server: str = "", limits: str = "", text: str = CONF) -> Path:
    """A conf.yaml in ``home``; ``server`` and ``limits`` are further keys of those two mappings."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "conf.yaml"
    file.write_text(text.format(port=port, server=server, limits=limits, secret=SECRET))
    file.chmod(0o600)
    return file


class Running:
    """An App that has started. ``stop`` may be called more than once."""

    def __init__(self, conf: Path, **parts):
        self.config = config.load(conf, env={}, generate=True)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._turn, name="server", daemon=True)
        self._thread.start()
        self.app = self.call(App, self.config, **parts)
        try:
            self.call(self.app.start)
        except BaseException:
            self._end()
            raise

    @property
    def port(self) -> int:
        return self.app.port

    @property
    def token(self) -> str:
        return (self.config.data / "admin.token").read_text().strip()

    @property
    def data(self) -> Path:
        return self.config.data

    def call(self, function, *arguments, timeout: float = 20, **named):
        """Call a function or coroutine function on the server's loop; returns what it returns."""
        async def run():
            found = function(*arguments, **named)
            return await found if inspect.isawaitable(found) else found
        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(timeout)

    def stop(self) -> None:
        """Stop the App as SIGTERM does, and its loop."""
        if not self.loop.is_closed():
            try:
                self.call(self.app.stop)
            finally:
                self._end()

    def lines(self) -> list[dict]:
        """Every record of the log, as it stands in the files."""
        return [json.loads(line) for file in sorted((self.data / "log").glob("*.jsonl"))
                for line in file.read_bytes().split(b"\n") if line]

    def client(self, token: str | None = None) -> "Client":
        return Client(self.port, token)

    def _turn(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    def _end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)


class Reply:
    """One answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error code."""
        return self.json["error"]["code"]

    def __repr__(self) -> str:
        return f"{self.status} {self.body[:300]!r}"


class Client:
    """One keep-alive connection, opened again when the server has closed it. With ``token``: the admin's."""

    def __init__(self, port: int, token: str | None = None):
        self.port, self.token = port, token
        self._wire: Wire | None = None

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        """One request. Header names are written with ``_`` for ``-``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            named.setdefault("Authorization", f"Bearer {self.token}")
        return self.send(request_bytes(method, path, named, body))

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, **headers)

    def post(self, path: str, value: object = None, **headers: str) -> Reply:
        """POST of JSON."""
        return self.ask("POST", path, json.dumps(value).encode(), **{"Content_Type": "application/json", **headers})

    def notice(self, value: object, app: str = "demo", secret: str = SECRET) -> Reply:
        """A signed notice from Agora; ``value`` may be bytes."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.send(agora_post(app, secret, body))

    def send(self, request: bytes) -> Reply:
        """The bytes of one request as they are."""
        if self._wire is None:
            self._wire = Wire(self.port)
        reply = Reply(*self._wire.ask(request))
        if reply.headers.get("connection") == "close":
            self.close()
        return reply

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._wire is not None:
            self._wire.socket.close()
            self._wire = None
