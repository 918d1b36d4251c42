"""From a request to a durable record, or to a refusal that is kept with its cause.

Two steps. ``admit`` has seen the headers only: it makes the cheapest refusals before a byte of the
body is read. ``receive`` has the whole request: signature over the raw bytes, then JSON, then
duplicates, then the log. The order is: route, method, content type and encoding, size, rate,
signature, parse, duplicate, append, sync, answer.

A request to a path that looks like a hook but belongs to no source is read and kept all the same:
the route can be mended, and the request replayed.

Nothing here raises for any input. All of it runs on the event loop, except the work on large bodies.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import msgspec

from hookserver.config import AgoraApp, Config
from hookserver.core.addresses import Network, bucket_of, client_address
from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.ratelimit import RateLimiter
from hookserver.core.records import event_draft, event_id
from hookserver.core.requests import Answer, InboundRequest
from hookserver.core.signatures import NOT_CHECKED, Verdict
from hookserver.errors import Refused, StorageUnavailable
from hookserver.providers import agora
from hookserver.services.routing import Routing

log = logging.getLogger("hookserver.intake")

#: Bodies above this are verified and parsed in a thread. The slowest text of this size takes 15 ms.
LARGE_BODY = 32 * 1024

#: The paths of the dashboard and the API; nothing else is.
_APPLICATION = re.compile(r"/(?:(?:api|static|debug)(?:/|$)|health$|metrics$|$)|(?!/)")

_JSON_NAMES = {list: "array", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}


def wall_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Route(msgspec.Struct, frozen=True, gc=False):
    """Where the requests of one path belong. ``limit`` is in bytes, ``window`` in seconds."""

    source: str
    app_id: str
    app: AgoraApp
    limit: int
    window: float
    limiter: RateLimiter


class Admission(msgspec.Struct, frozen=True, gc=False):
    """The body may be read, up to ``limit`` bytes. ``client`` is the address held responsible."""

    limit: int
    client: str


class Examined(msgspec.Struct, frozen=True, gc=False):
    """What the body turned out to be. ``key`` is None for what is never a duplicate. ``to``: the chosen destinations."""

    verdict: Verdict
    type: str
    key: str | None
    to: tuple[str, ...]


class Intake:
    """Takes requests in. ``storage`` is the log, ``dedup`` and ``rejections`` are those of the store.

    ``steady`` gives seconds for the rate limiter, ``clock`` Unix milliseconds. ``threads`` runs the work on
    large bodies (None: the loop's own).
    """

    def __init__(self, config: Config, *, storage, dedup, rejections, steady: Callable[[], float] = time.monotonic,
                 clock: Callable[[], int] = wall_ms, threads: Executor | None = None):
        self._log, self._dedup, self._rejections = storage, dedup, rejections
        self._steady, self._clock, self._threads = steady, clock, threads
        self._trusted: Sequence[Network] = config.server.trusted_proxies
        self._body_limit = config.limits.body
        self._limiter = RateLimiter(config.limits.rate)
        self._routes = _routes(config, self._limiter)
        self.routing = Routing(config.routes)
        self._in_flight: dict[tuple[str, str], asyncio.Future] = {}
        self.accepted: Counter[str] = Counter()    # source -> records made
        self.duplicates: Counter[str] = Counter()  # source -> answered without a new record
        self.refused: Counter[str] = Counter()     # cause -> requests

    # -- headers only ----------------------------------------------------------------------------

    def owns(self, method: str, path: str) -> bool:
        """Whether this request is for intake: a hook path, configured or not, or a POST to nowhere else.

        What is posted to a path that nobody has matches no source, and that is kept as a rejection.
        """
        return agora.looks_like(path) or method == "POST" and not _APPLICATION.match(path)

    def admit(self, method: str, path: str, headers: Sequence[tuple[str, str]], peer: str) -> Admission | Answer:
        """Decide from the headers. Takes a token of the client's rate when the body may come."""
        route = self._route(path)
        known = {name.lower(): value for name, value in headers}
        forwarded = [value for name, value in headers if name.lower() == "x-forwarded-for"] \
            if "x-forwarded-for" in known else ()
        client = client_address(peer, forwarded, self._trusted)
        refused = self._early_refusal(route, method, known, client)
        if refused is None:
            return Admission(route.limit if route else self._body_limit, client)
        return self.refuse(InboundRequest(method, path, "", headers, b"", peer, client, self._clock()), refused,
                           size=_content_length(known))

    def _early_refusal(self, route: Route | None, method: str, known: dict[str, str], client: str) -> Refused | None:
        if route is None:
            if method not in agora.METHODS:
                return _unmatched()
        elif method not in agora.METHODS:
            return Refused("method_not_allowed", headers={"Allow": ", ".join(agora.METHODS)})
        elif not _is_json(known.get("content-type")):
            return Refused("unsupported_type", hint="Send Content-Type: application/json.")
        if known.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
            return Refused("unsupported_encoding")
        limit = route.limit if route else self._body_limit
        if (_content_length(known) or 0) > limit:
            return Refused("too_large", f"The body is larger than the {limit} bytes that are accepted here.")
        wait = (route.limiter if route else self._limiter).take(bucket_of(client), self._steady())
        return Refused("rate_limited", retry_after=wait) if wait else None

    def _route(self, path: str) -> Route | None:
        return self._routes.get(agora.match(path) or "")

    # -- the whole request -----------------------------------------------------------------------

    async def receive(self, request: InboundRequest) -> Answer:
        """Keep the request, durably, or refuse it. The request has been admitted."""
        route = self._route(request.path)
        try:
            if route is None:
                raise _unmatched()
            if request.method not in agora.METHODS:
                raise Refused("method_not_allowed", headers={"Allow": ", ".join(agora.METHODS)})
            if len(request.body) > route.limit:
                raise Refused("too_large", f"The body is larger than the {route.limit} bytes that are accepted here.")
            if len(request.body) > LARGE_BODY:
                examined = await asyncio.get_running_loop().run_in_executor(self._threads, _examine, route, request, self.routing)
            else:
                examined = _examine(route, request, self.routing)
            return await self._keep(route, request, examined)
        except Refused as refused:
            return self.refuse(request, refused, source=route.source if route else None)
        except StorageUnavailable as trouble:
            return self._unavailable(trouble)

    async def _keep(self, route: Route, request: InboundRequest, examined: Examined) -> Answer:
        key = examined.key
        if key is None:
            stored = await self._append(route, request, examined)
            return self._success(route, stored.id)
        slot = (route.source, key)
        original = self._in_flight.get(slot)
        if original is not None:
            # The twin waits for the sync of the first one and shares its fate; cancelling a twin harms nobody.
            stored = await asyncio.shield(original)
            return self._success(route, stored.id, duplicate=True)
        seq = self._dedup.lookup(route.source, key, request.at_ms, route.window)
        if seq is not None:
            return self._success(route, event_id(self._log.store_id, seq), duplicate=True)
        future = self._in_flight[slot] = self._append(route, request, examined)
        # Removed when its fate is known, and not before: until then it is in no index.
        future.add_done_callback(lambda done: self._settled(slot, done))
        stored = await future
        return self._success(route, stored.id)

    def _append(self, route: Route, request: InboundRequest, examined: Examined) -> asyncio.Future:
        path = f"{request.path}?{request.query}" if request.query else request.path
        return self._log.append(event_draft(
            source=route.source, provider=agora.NAME, type=examined.type, key=examined.key, app=route.app_id,
            method=request.method, path=path, client=request.client, headers=request.headers, body=request.body,
            is_json=True, checks={"signature": examined.verdict.text}, to=examined.to))

    def _settled(self, slot: tuple[str, str], done: asyncio.Future) -> None:
        self._in_flight.pop(slot, None)
        if not done.cancelled():
            done.exception()  # looked at, so that asyncio does not call it forgotten

    # -- answers ---------------------------------------------------------------------------------

    def _success(self, route: Route, event: str, *, duplicate: bool = False) -> Answer:
        (self.duplicates if duplicate else self.accepted)[route.source] += 1
        return Answer(200, b'{"status":"success","message":"Webhook processed","id":"%b","duplicate":%b}'
                      % (event.encode(), b"true" if duplicate else b"false"))

    def _unavailable(self, trouble: StorageUnavailable) -> Answer:
        """Nothing was acknowledged; the sender keeps the event and sends it again."""
        self.refused[trouble.code] += 1
        refused = Refused(trouble.code, retry_after=trouble.retry_after)
        return Answer(refused.status, json.dumps(refused.body()).encode(), refused.headers)

    def refuse(self, request: InboundRequest, refused: Refused, *, source: str | None = None,
               size: int | None = None) -> Answer:
        """Answer a refusal and keep the request with its cause.

        ``size`` is the length that the client announced, when the body was not read.
        """
        self.refused[refused.code] += 1
        if source is None:
            route = self._route(request.path)
            source = route.source if route else None
        size = len(request.body) if size is None else size
        kept = self._rejections.add(request, source=source, cause=refused.code, status=refused.status,
                                    message=refused.message, hint=refused.hint, size=size)
        if kept is not None:  # a flood is only counted, in the ring as in our log
            log.info("refused cause=%s status=%d source=%s client=%s method=%.10r path=%.120r bytes=%d", refused.code,
                     refused.status, source, request.client, request.method, request.path, size)
        return Answer(refused.status, json.dumps(refused.body()).encode(), refused.headers)

    # -- numbers ---------------------------------------------------------------------------------

    def stats(self) -> dict[str, int]:
        """Real numbers for /debug/cache."""
        limiters = {id(route.limiter): route.limiter for route in self._routes.values()}
        limiters[id(self._limiter)] = self._limiter
        return {"in_flight": len(self._in_flight), "buckets": sum(map(len, limiters.values())),
                "accepted": self.accepted.total(), "duplicates": self.duplicates.total(), "refused": self.refused.total()}


def _routes(config: Config, general: RateLimiter) -> dict[str, Route]:
    routes = {}
    for source in config.sources.values():
        limiter = general if source.rate is None else RateLimiter(source.rate)
        limit = config.limits.body if source.body is None else source.body
        for app_id, app in source.apps.items():
            routes[app_id] = Route(source.name, app_id, app, limit, source.dedup_window, limiter)
    return routes


def _examine(route: Route, request: InboundRequest, routing: Routing) -> Examined:
    """Signature first, JSON only of what is authentic, then its way on. Raises Refused. Runs in any thread."""
    if route.app.verify == "none":
        verdict = NOT_CHECKED
    else:
        verdict = agora.verify(request.headers, request.body, route.app.secrets)
    if not verdict.ok:
        raise Refused(verdict.code, hint=f"{verdict.text}.")
    try:
        value = parse(request.body)
    except BadJSON as error:
        raise Refused("bad_json", f"The body is not strict JSON: {error.reason}, line {error.line}, "
                                  f"column {error.column}.") from None
    if type(value) is not dict:
        raise Refused("bad_json", f"The body is a JSON {_JSON_NAMES[type(value)]}; an object is expected.")
    type_name = agora.event_type(value)
    return Examined(verdict, type_name, agora.dedup_key(route.app_id, value),
                    routing.choose(route.source, type_name, request.client, request.headers, value))


def _unmatched() -> Refused:
    return Refused("unmatched", hint="The path is /<app id>/webhooks with an app id that conf.yaml names.")


def _is_json(content_type: str | None) -> bool:
    """A sender that does not say what it sends is let in: the parser will tell."""
    if content_type is None or content_type == "application/json":
        return True
    return content_type.partition(";")[0].strip().lower() in agora.CONTENT_TYPES


def _content_length(known: dict[str, str]) -> int | None:
    text = known.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
