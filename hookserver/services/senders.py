"""Senders for ``hookserver send`` and ``hookserver demo``: they build, sign and post real requests.

They speak HTTP from outside like any sender, with kept-open connections, one thread for each.
"""

from __future__ import annotations

import http.client
import random
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from hookserver.config import AgoraSource, Config
from hookserver.errors import HookserverError
from hookserver.providers import agora
from hookserver.providers.agora_calls import Calls

TIMEOUT = 15.0  # seconds for one answer; Agora itself waits 10
RESEND = 0.02  # share of notices sent twice, as Agora does
RETRIES = 3  # of a message that was answered 503, as Agora does
PATIENCE = 5.0  # seconds waited at most when the server says "later"


class NoServer(HookserverError):
    """Nothing answers at the address. Its text says what to do."""

    def __init__(self, url: str, reason: str):
        super().__init__(f"no server answers at {url} ({reason}); start one with `hookserver serve`, "
                         "or name the right address with --url")


@dataclass(frozen=True)
class Message:
    """One request to send. ``method`` is POST except in requests that are wrong on purpose. A body that is no bytes is read as it is sent."""

    path: str
    body: bytes | Iterator[bytes]
    headers: dict[str, str]
    method: str = "POST"


@dataclass(frozen=True)
class Reply:
    """What came back: ``status`` is None when the connection broke; ``seconds`` is the time it took.

    ``later``: the server wants the message again after so many seconds (429 or 503 with Retry-After).
    """

    status: int | None
    seconds: float
    duplicate: bool = False
    later: float | None = None


@dataclass
class Tally:
    """The sum of the replies."""

    statuses: Counter = field(default_factory=Counter)
    duplicates: int = 0
    put_off: Counter = field(default_factory=Counter)  # statuses that said "later"; the message was sent again
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, reply: Reply) -> None:
        """Count one final reply."""
        self.statuses[reply.status] += 1
        self.duplicates += reply.duplicate
        self.latencies.append(reply.seconds)

    def percentile(self, share: float) -> float | None:
        """The latency in seconds below which ``share`` (0 to 1) of the replies lie; None without replies."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def local_url(config: Config) -> str:
    """The address of the server that ``config`` describes, as seen from its own machine."""
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(config.server.host, config.server.host)
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if config.server.tls else 'http'}://{host}:{config.server.port}"


def probe(url: str) -> None:
    """Raise ``NoServer`` unless something listens at ``url``."""
    connection = Connection(url)
    connection.connect()
    connection.close()


def signed(app_id: str, secret: bytes | None, body: bytes) -> Message:
    """A notice as Agora sends it: HMAC-SHA1 and HMAC-SHA256 of the body, in hex, in two headers."""
    headers = {"Content-Type": "application/json;charset=utf-8", "User-Agent": "hookserver-send"}
    if secret is not None:
        headers |= agora.sign(body, secret)
    return Message(f"/{quote(app_id, safe='')}/webhooks", body, headers)


def choose_app(source: AgoraSource, app_id: str | None) -> tuple[str, bytes | None]:
    """The app to send for, and its first secret. ``KeyError`` if the source has no such app."""
    app_id = app_id or next(iter(source.apps))
    secrets = source.apps[app_id].secrets
    return app_id, secrets[0] if secrets else None


def channels_for(count: int) -> int:
    """So many channels that ``count`` notices fill about three quarters of an hour of calls."""
    return max(3, min(500, count // 120))


def story(app_id: str, secret: bytes | None, *, past: int, channels: int, seed: int | None = None) -> Iterator[Message]:
    """Signed notices without end: ``past`` of them about calls that led up to now, the others as they happen.

    Those that happen are stamped with the moment they are taken, and some come twice.
    """
    seed = random.randrange(2**32) if seed is None else seed
    rehearsal = Calls(random.Random(seed), channels=channels)
    for _ in range(past):
        rehearsal.next(lambda elapsed: elapsed)
    start = time.time() - rehearsal.elapsed
    calls = Calls(random.Random(seed), channels=channels)
    for _ in range(past):
        yield signed(app_id, secret, calls.next(lambda elapsed: start + elapsed))
    while True:
        message = signed(app_id, secret, calls.next(lambda elapsed: time.time()))
        yield message
        if random.random() < RESEND:
            yield message


def badly_signed(messages: Iterator[Message]) -> Iterator[Message]:
    """The same messages with signatures made with another secret."""
    for message in messages:
        yield Message(message.path, message.body, message.headers | agora.sign(message.body, b"not the secret"))


def wrong_ones(app_id: str, secret: bytes | None, *, seed: int | None = None) -> Iterator[Message]:
    """Requests without end that a server must refuse, each for another reason."""
    luck = random.Random(seed)
    good = story(app_id, secret, past=0, channels=1, seed=seed)
    while True:
        message = next(good)
        unsigned = {"Content-Type": "application/json"}
        yield luck.choice((
            next(badly_signed(iter([message]))),
            Message(message.path, message.body, unsigned),
            signed(app_id, secret, message.body[:-1]),
            Message("/an-old-app-id/webhooks", message.body, message.headers),
            Message(message.path, b"uid=12&event=joined", {**message.headers, "Content-Type": "text/plain"}),
            Message(message.path, b"", unsigned, "PUT"),
        ))


def mixed(good: Iterator[Message], bad: Iterator[Message], *, share: float) -> Iterator[Message]:
    """``good`` with ``share`` (0 to 1) of ``bad`` strewn in."""
    for message in good:
        if random.random() < share:
            yield next(bad)
        yield message


class Senders:
    """Posts messages over ``concurrency`` connections, at most ``rate`` a second (None: as fast as it goes).

    ``on_reply`` is called after each reply, from one thread at a time. ``run`` blocks; ``stop`` may be
    called from any thread and lets requests under way finish.
    """

    def __init__(self, url: str, messages: Iterator[Message], *, concurrency: int = 4, rate: float | None = None,
                 on_reply: Callable[[Tally], None] = lambda tally: None):
        self._url, self._messages, self._rate, self._on_reply = url, messages, rate, on_reply
        self._concurrency = concurrency
        self._take, self._give = threading.Lock(), threading.Lock()
        self._stopping = threading.Event()
        self._began = time.monotonic()
        self._taken = 0
        self._lost: Exception | None = None
        self.tally = Tally()

    def run(self) -> Tally:
        """Send until the messages end or ``stop``. Raises ``NoServer`` when the server has gone away."""
        self._began = time.monotonic()
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._concurrency)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        finally:
            self.stop()
            self.tally.seconds = time.monotonic() - self._began
        if self._lost:
            raise self._lost
        return self.tally

    def stop(self) -> None:
        """Take no further message."""
        self._stopping.set()

    def _next(self) -> Message | None:
        with self._take:
            if self._rate:
                due = self._began + self._taken / self._rate
                if self._stopping.wait(max(0.0, due - time.monotonic())):
                    return None
            self._taken += 1
            return None if self._stopping.is_set() else next(self._messages, None)

    def _work(self) -> None:
        connection = Connection(self._url)
        try:
            while (message := self._next()) is not None:
                reply = self._deliver(connection, message)
                with self._give:
                    self.tally.add(reply)
                    self._on_reply(self.tally)
        except Exception as error:  # ends the run, and is raised again by it
            self._lost = self._lost or error
            self.stop()
        finally:
            connection.close()


    def _deliver(self, connection: Connection, message: Message) -> Reply:
        reply, failures = connection.send(message), 0
        while reply.later is not None and failures < RETRIES and not self._stopping.wait(min(reply.later, PATIENCE)):
            failures += reply.status == 503  # too fast is no failure
            with self._give:
                self.tally.put_off[reply.status] += 1
            reply = connection.send(message)
        return reply


class Connection:
    """One connection to the server, opened when needed and kept open."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self._url, self._base = url, parts.path.rstrip("/")
        if parts.scheme == "https":
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=TIMEOUT, context=_tls(parts.hostname or ""))
        else:
            self._http = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)

    def send(self, message: Message) -> Reply:
        """Post one message. A broken exchange is a reply without status; ``NoServer`` when nobody listens."""
        started = time.perf_counter()
        try:
            response = self._exchange(message)
            body = response.read()
        except (OSError, http.client.HTTPException):
            self._http.close()
            return Reply(None, time.perf_counter() - started)
        wait = response.getheader("Retry-After", "") if response.status in (429, 503) else ""
        return Reply(response.status, time.perf_counter() - started,
                     duplicate=b'"duplicate":true' in body.replace(b" ", b""),
                     later=float(wait) if wait.isdigit() else None)

    def call(self, message: Message) -> tuple[int, bytes]:
        """Status and body of the answer. Raises ``NoServer``, OSError, http.client.HTTPException."""
        response = self._exchange(message)
        return response.status, response.read()

    def close(self) -> None:
        """Close it."""
        self._http.close()

    def _exchange(self, message: Message) -> http.client.HTTPResponse:
        kept_open = self._http.sock is not None
        self.connect()
        try:
            return self._ask(message)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not kept_open:
                raise
        self._http.close()  # the server had closed the idle connection: a new one is no second try
        self.connect()
        return self._ask(message)

    def connect(self) -> None:
        """Connect if that has not been done. Raises ``NoServer``."""
        if self._http.sock is None:
            try:
                self._http.connect()
            except OSError as error:
                raise NoServer(self._url, error.strerror or str(error)) from error

    def _ask(self, message: Message) -> http.client.HTTPResponse:
        self._http.request(message.method, self._base + message.path, message.body, message.headers)
        return self._http.getresponse()


def _tls(host: str) -> ssl.SSLContext:
    """Certificates are checked, except by a sender on the server's own machine, whose name is not in them."""
    context = ssl.create_default_context()
    if host in ("localhost", "127.0.0.1", "::1"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
