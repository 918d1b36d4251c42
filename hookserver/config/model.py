"""The configuration as typed, frozen values. Durations are seconds, sizes are bytes.

Each part of the server gets its own slice of this; nobody looks a setting up by its name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from hookserver.config.frameio import FrameioSource
from hookserver.config.terms import Terms
from hookserver.config.lists import Feed, OwnList
from hookserver.core.addresses import Network
from hookserver.core.conditions import Condition
from hookserver.core.fields import Field
from hookserver.core.guard import parse_url
from hookserver.core.ratelimit import Rate
from hookserver.core.retry import RetryPolicy
from hookserver.core.schemes.scheme import Scheme
from hookserver.core.signing import Signing
from hookserver.core.verdicts import Thresholds
from hookserver.providers.handshakes import Handshake


class Tls(msgspec.Struct, frozen=True):
    cert: Path
    key: Path


class Server(msgspec.Struct, frozen=True):
    host: str
    port: int  # 0: any free port
    site_url: str | None  # without a final slash
    trusted_proxies: tuple[Network, ...]
    tls: Tls | None


class StoreSettings(msgspec.Struct, frozen=True):
    dir: Path
    segment_size: int
    retention: float | None  # None: for ever
    max_size: int | None  # None: no limit
    min_free: int


class Limits(msgspec.Struct, frozen=True):
    body: int
    rate: Rate
    header_timeout: float
    body_timeout: float
    connections: int


class AgoraApp(msgspec.Struct, frozen=True):
    """One Agora project. ``secrets`` may be empty: ``verify: none``, or a secret not made yet."""

    secrets: tuple[bytes, ...]
    verify: str  # "signature" or "none"

    def __repr__(self) -> str:  # a struct in a traceback must not print its secrets
        return f"AgoraApp(secrets=<{len(self.secrets)} hidden>, verify={self.verify!r})"


class AgoraSource(msgspec.Struct, frozen=True):
    name: str
    apps: dict[str, AgoraApp]
    dedup_window: float
    body: int | None = None  # None: limits.body
    rate: Rate | None = None  # None: limits.rate
    terms: Terms = Terms()
    type: str = "agora"

    @property
    def paths(self) -> dict[str, str]:
        """App -> where its notices are posted to."""
        return {app: f"/{app}/webhooks" for app in self.apps}

    @property
    def unsigned(self) -> list[str]:
        """The names in ``paths`` that take unsigned requests."""
        return [name for name, app in self.apps.items() if app.verify == "none"]


class GenericSource(msgspec.Struct, frozen=True, kw_only=True):
    """A sender that the configuration describes. ``scheme`` None: ``verify: none``. ``keys``: what the scheme made of the secrets.
    ``event_type``: the first of these that is there names the type. ``key``: the fields that make two requests copies of one
    event; () = no two are. ``public_url``: the address as the sender knows it; None = site_url and ``path``.
    ``tokens``: what an unsigned handshake has to bring."""

    name: str
    path: str
    scheme: Scheme | None
    keys: tuple[Any, ...]
    preset: str | None
    event_type: tuple[Field, ...]
    key: tuple[Field, ...]
    reject_status: int
    dedup_window: float
    public_url: str | None = None
    feed: str | None = None  # what comes are entries of this feed
    handshakes: tuple[Handshake, ...] = ()
    tokens: tuple[bytes, ...] = ()
    body: int | None = None  # None: limits.body
    rate: Rate | None = None  # None: limits.rate
    terms: Terms = Terms()
    type: str = "generic"

    def __repr__(self) -> str:
        return f"GenericSource(name={self.name!r}, <{len(self.keys)} secrets hidden>)"

    @property
    def paths(self) -> dict[str, str]:
        """The source's name -> where its sender posts to."""
        return {self.name: self.path}

    @property
    def unsigned(self) -> list[str]:
        """The names in ``paths`` that take unsigned requests."""
        return [self.name] if self.scheme is None else []

    @property
    def signs_url(self) -> bool:
        """Whether its sender signs the address that it posts to."""
        return self.scheme is not None and self.scheme.public_url


class UploadLimits(msgspec.Struct, frozen=True):
    """Of songs that are handed in here: the largest file, and all those that wait; in bytes."""

    largest: int
    quota: int


class AcrcloudSource(msgspec.Struct, frozen=True, kw_only=True):
    """ACRCloud File Scanning. ``callback_tokens``: any of them may come with a callback, the first one is shown; () = not made yet.
    ``token`` and ``container`` None: nothing can be asked of the API, or uploaded to it. ``mock``: a simulator stands in for ACRCloud.
    ``stuck_after`` and ``timeout`` in seconds."""

    name: str
    path: str
    callback_tokens: tuple[bytes, ...]
    token: str | None
    container: int | None
    api: str  # without a final slash; containers are below it
    mock: bool
    stuck_after: float
    timeout: float
    retry: RetryPolicy
    verdict: Thresholds
    dedup_window: float
    body: int  # bytes of a callback, which may hold thousands of matches
    upload: UploadLimits
    rate: Rate | None = None  # None: limits.rate
    terms: Terms = Terms()
    type: str = "acrcloud"

    def __repr__(self) -> str:
        return f"AcrcloudSource(name={self.name!r}, <secrets hidden>)"

    @property
    def paths(self) -> dict[str, str]:
        """The source's name -> where callbacks are posted to, without the token."""
        return {self.name: self.path}

    @property
    def unsigned(self) -> list[str]:
        """The names in ``paths`` that take unsigned requests: a callback always needs its token."""
        return []

    def shown(self, hidden: str) -> dict:
        """The settings of its own as JSON, with ``hidden`` for each secret."""
        return {"path": self.path, "callback_token": [hidden] * len(self.callback_tokens), "token": hidden if self.token else None,
                "container": self.container, "api": self.api, "mock": self.mock, "stuck_after": self.stuck_after, "timeout": self.timeout,
                "retry": {"schedule": list(self.retry.schedule)}, "verdict": msgspec.to_builtins(self.verdict), "upload": msgspec.to_builtins(self.upload)}

    @property
    def callback_path(self) -> str:
        """Where the container must be told to post to, token included; "" when the token is not made yet."""
        if not self.callback_tokens:
            return ""
        return f"{self.path.rstrip('/')}/{self.callback_tokens[0].decode()}"


Source = AgoraSource | GenericSource | FrameioSource | AcrcloudSource


class Breaker(msgspec.Struct, frozen=True):
    """Open after ``failures`` in a row; then one attempt after ``pause`` seconds, doubled up to ``longest``."""

    failures: int = 5
    pause: float = 30.0
    longest: float = 600.0


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """What all destinations have. Times in seconds. ``disable_after``: of nothing but failure; None = never."""

    name: str
    type: str
    timeout: float
    retry: RetryPolicy
    breaker: Breaker = Breaker()
    concurrency: int = 10
    rate: Rate | None = None
    disable_after: float | None = 5 * 86_400.0

    @property
    def place(self) -> str:
        """Where it leads, for people, without what may be secret."""
        return ""


class HttpDestination(Destination, frozen=True, kw_only=True):
    """``body``: a template, None = the event's own body. ``from_data``: the URL comes from outside and is guarded."""

    url: str
    method: str = "POST"
    headers: dict[str, str] = {}
    sign: Signing | None = None
    body: str | None = None
    content_type: str | None = None
    ca: Path | None = None  # certificates to trust instead of the system's
    user_agent: str = ""

    @property
    def place(self) -> str:
        return parse_url(self.url).origin

    def __repr__(self) -> str:  # url and headers may hold secrets
        return f"HttpDestination(name={self.name!r})"


class ExecDestination(Destination, frozen=True, kw_only=True):
    """``argv``: the program and its arguments, each a template of fields. ``env``: added to a minimal environment."""

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: dict[str, str] = {}

    @property
    def place(self) -> str:
        return self.argv[0]

    def __repr__(self) -> str:  # arguments and variables may hold secrets
        return f"ExecDestination(name={self.name!r}, {self.argv[0]!r})"


class ChatDestination(Destination, frozen=True, kw_only=True):
    """Discord or Slack (``type`` says which). ``text`` is a template, None = a summary made by us."""

    url: str
    text: str | None = None
    username: str | None = None

    @property
    def place(self) -> str:
        return parse_url(self.url).origin

    def __repr__(self) -> str:  # the url is a secret
        return f"ChatDestination(name={self.name!r}, type={self.type!r})"


class EmailDestination(Destination, frozen=True, kw_only=True):
    host: str
    port: int
    tls: str  # "starttls", "tls" or "none"
    sender: str
    to: tuple[str, ...]
    user: str | None = None
    password: str | None = None
    subject: str | None = None  # template
    text: str | None = None     # template
    ca: Path | None = None

    @property
    def place(self) -> str:
        return f"{', '.join(self.to)} through {self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"EmailDestination(name={self.name!r}, host={self.host!r})"


class RouteRule(msgspec.Struct, frozen=True):
    """``sources``: names, or ("*",). ``when``: the compiled conditions, None = always. ``place``: "conf.yaml:12", for people."""

    sources: tuple[str, ...]
    when: Condition | None
    to: tuple[str, ...]
    place: str = ""


class Worker(msgspec.Struct, frozen=True):
    """Who makes descriptions. ``type``: "template", "http" or "exec". ``patience``: seconds that a late answer may take."""

    type: str
    url: str = ""
    headers: dict[str, str] = {}
    argv: tuple[str, ...] = ()
    timeout: float = 60.0
    concurrency: int = 4
    patience: float = 3600.0
    retry: RetryPolicy = RetryPolicy()

    def __repr__(self) -> str:
        return f"Worker(type={self.type!r})"


class Jobs(msgspec.Struct, frozen=True):
    """The job service. ``secrets`` check what clients send, the first one signs what they get. ``read``: None = whoever knows the id.
    ``idempotency``: seconds for which an Idempotency-Key is remembered."""

    secrets: tuple[bytes, ...]
    worker: Worker
    retry: RetryPolicy
    read: str | None = None
    timeout: float = 30.0
    max_lots: int = 1000
    idempotency: float = 86_400.0

    def __repr__(self) -> str:
        return f"Jobs(<{len(self.secrets)} secrets hidden>, worker={self.worker!r})"


class TunnelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the internet reaches this server: a listener on ``port`` that serves ``paths`` and the status, and nothing else, and a tunnel to it.

    ``type``: "quick" or "named", with a cloudflared of our own, or "outside": somebody else sees to it. ``url``: where it comes out;
    None = a quick tunnel's is not known before, or nobody has said.
    """

    enabled: bool = False
    port: int = 8080
    paths: tuple[str, ...] = ()
    type: str = "quick"
    program: str = "cloudflared"
    protocol: str = "auto"
    token_file: Path | None = None
    url: str | None = None


class Notify(msgspec.Struct, frozen=True):
    """Notices of these kinds go to these destinations."""

    on: tuple[str, ...] = ()
    to: tuple[str, ...] = ()


class Config(msgspec.Struct, frozen=True):
    file: Path
    data: Path  # store.dir, or what --data said
    server: Server
    store: StoreSettings
    limits: Limits
    sources: dict[str, Source]
    destinations: dict[str, Destination] = {}
    routes: tuple[RouteRule, ...] = ()
    guard: tuple[Network, ...] = ()  # private networks that a URL from outside may reach
    jobs: Jobs | None = None
    notify: Notify = Notify()
    feeds: dict[str, Feed] = {}
    listing: OwnList | None = None  # our own list of files
    tunnel: TunnelSettings = TunnelSettings()
    warnings: tuple[str, ...] = ()
