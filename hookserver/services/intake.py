"""From a request to a durable record, or to a refusal that is kept with its cause, whoever the sender is.

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
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import msgspec

from hookserver.config import Config
from hookserver.core.addresses import Network, bucket_of, client_address
from hookserver.core.ratelimit import RateLimiter
from hookserver.core.records import event_draft, event_id
from hookserver.core.requests import Answer, InboundRequest, is_application
from hookserver.errors import Refused, StorageUnavailable
from hookserver.providers import agora
from hookserver.providers.receiver import Examined, Unfit
from hookserver.services.endpoints import Endpoint, endpoints_of
from hookserver.services.routing import Routing

log = logging.getLogger("hookserver.intake")

#: Bodies above this are verified and parsed in a thread. The slowest text of this size takes 15 ms.
LARGE_BODY = 32 * 1024


def wall_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Admission(msgspec.Struct, frozen=True, gc=False):
    """The body may be read, up to ``limit`` bytes. ``client`` is the address held responsible."""

    limit: int
    client: str


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
        self._endpoints = endpoints_of(config, self._limiter)   # by path, which is matched exactly
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
        return path in self._endpoints or agora.looks_like(path) or method == "POST" and not is_application(path)

    def admit(self, method: str, path: str, headers: Sequence[tuple[str, str]], peer: str) -> Admission | Answer:
        """Decide from the headers. Takes a token of the client's rate when the body may come."""
        endpoint = self._endpoints.get(path)
        known = {name.lower(): value for name, value in headers}
        forwarded = [value for name, value in headers if name.lower() == "x-forwarded-for"] \
            if "x-forwarded-for" in known else ()
        client = client_address(peer, forwarded, self._trusted)
        refused = self._early_refusal(endpoint, method, known, client)
        if refused is None:
            return Admission(endpoint.limit if endpoint else self._body_limit, client)
        return self.refuse(InboundRequest(method, path, "", headers, b"", peer, client, self._clock()), refused,
                           size=_content_length(known))

    def _early_refusal(self, endpoint: Endpoint | None, method: str, known: dict[str, str], client: str) -> Refused | None:
        if endpoint is None:
            if method != "POST":
                return _unmatched()
        elif method not in endpoint.receiver.methods:
            return _wrong_method(endpoint)
        elif not _is_taken(known.get("content-type"), endpoint.receiver.content_types):
            return Refused("unsupported_type", hint=f"Send Content-Type: {' or '.join(sorted(endpoint.receiver.content_types))}.")
        if known.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
            return Refused("unsupported_encoding")
        limit = endpoint.limit if endpoint else self._body_limit
        if (_content_length(known) or 0) > limit:
            return Refused("too_large", f"The body is larger than the {limit} bytes that are accepted here.")
        wait = (endpoint.limiter if endpoint else self._limiter).take(bucket_of(client), self._steady())
        return Refused("rate_limited", retry_after=wait) if wait else None

    # -- the whole request -----------------------------------------------------------------------

    async def receive(self, request: InboundRequest) -> Answer:
        """Keep the request, durably, or refuse it. The request has been admitted."""
        endpoint = self._endpoints.get(request.path)
        try:
            if endpoint is None:
                raise _unmatched()
            if request.method not in endpoint.receiver.methods:
                raise _wrong_method(endpoint)
            if len(request.body) > endpoint.limit:
                raise Refused("too_large", f"The body is larger than the {endpoint.limit} bytes that are accepted here.")
            if len(request.body) > LARGE_BODY:
                examined, to = await asyncio.get_running_loop().run_in_executor(self._threads, _examine, endpoint, request, self.routing)
            else:
                examined, to = _examine(endpoint, request, self.routing)
            return await self._keep(endpoint, request, examined, to)
        except Refused as refused:
            return self.refuse(request, refused, source=endpoint.source if endpoint else None)
        except StorageUnavailable as trouble:
            return self._unavailable(trouble)

    async def _keep(self, endpoint: Endpoint, request: InboundRequest, examined: Examined, to: tuple[str, ...]) -> Answer:
        key = examined.key
        if key is None:
            stored = await self._append(endpoint, request, examined, to)
            return self._success(endpoint, examined, stored.id)
        slot = (endpoint.source, key)
        original = self._in_flight.get(slot)
        if original is not None:
            # The twin waits for the sync of the first one and shares its fate; cancelling a twin harms nobody.
            stored = await asyncio.shield(original)
            return self._success(endpoint, examined, stored.id, duplicate=True)
        seq = self._dedup.lookup(endpoint.source, key, request.at_ms, endpoint.window)
        if seq is not None:
            return self._success(endpoint, examined, event_id(self._log.store_id, seq), duplicate=True)
        future = self._in_flight[slot] = self._append(endpoint, request, examined, to)
        # Removed when its fate is known, and not before: until then it is in no index.
        future.add_done_callback(lambda done: self._settled(slot, done))
        stored = await future
        return self._success(endpoint, examined, stored.id)

    def _append(self, endpoint: Endpoint, request: InboundRequest, examined: Examined,
                to: tuple[str, ...]) -> asyncio.Future:
        path = f"{request.path}?{request.query}" if request.query else request.path
        return self._log.append(event_draft(
            source=endpoint.source, provider=endpoint.receiver.name, type=examined.type, key=examined.key, app=examined.app,
            job=examined.job, method=request.method, path=path, client=request.client, headers=request.headers,
            body=request.body, is_json=True, checks={"signature": examined.verdict.text}, to=to))

    def _settled(self, slot: tuple[str, str], done: asyncio.Future) -> None:
        self._in_flight.pop(slot, None)
        if not done.cancelled():
            done.exception()  # looked at, so that asyncio does not call it forgotten

    # -- answers ---------------------------------------------------------------------------------

    def _success(self, endpoint: Endpoint, examined: Examined, event: str, *, duplicate: bool = False) -> Answer:
        (self.duplicates if duplicate else self.accepted)[endpoint.source] += 1
        return endpoint.receiver.success(examined, event, duplicate)

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
            endpoint = self._endpoints.get(request.path)
            source = endpoint.source if endpoint else None
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
        limiters = {id(endpoint.limiter): endpoint.limiter for endpoint in self._endpoints.values()}
        limiters[id(self._limiter)] = self._limiter
        return {"in_flight": len(self._in_flight), "buckets": sum(map(len, limiters.values())),
                "accepted": self.accepted.total(), "duplicates": self.duplicates.total(), "refused": self.refused.total()}


def _examine(endpoint: Endpoint, request: InboundRequest, routing: Routing) -> tuple[Examined, tuple[str, ...]]:
    """What it is, and the destinations chosen for it. Raises Refused. Runs in any thread."""
    found = endpoint.receiver.examine(request)
    if type(found) is Unfit:
        raise Refused(found.code, found.message, hint=found.hint, status=found.status)
    return found, routing.choose(endpoint.source, found.type, request.client, request.headers, found.value)


def _unmatched() -> Refused:
    return Refused("unmatched", hint="The path is that of a source in conf.yaml; of Agora, /<app id>/webhooks.")


def _wrong_method(endpoint: Endpoint) -> Refused:
    return Refused("method_not_allowed", headers={"Allow": ", ".join(endpoint.receiver.methods)})


def _is_taken(content_type: str | None, taken: frozenset[str]) -> bool:
    """A sender that does not say what it sends is let in: the parser will tell."""
    if content_type is None or content_type in taken:
        return True
    return content_type.partition(";")[0].strip().lower() in taken


def _content_length(known: dict[str, str]) -> int | None:
    text = known.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
