"""From a request to a durable record, or to a refusal that is kept with its cause, whoever the sender is.

Two steps. ``admit`` has seen the headers only: it makes the cheapest refusals before a byte of the
body is read. ``receive`` has the whole request: signature over the raw bytes, then JSON, then
duplicates, then the log. The order is: route, method, content type and encoding, size, address, rate,
signature, parse, the source's schema and filter, duplicate, append, sync, answer.

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
from hookserver.core.addresses import Network, bucket_of, client_address, plain_text
from hookserver.core.records import BadLine, decode, event_draft, event_id
from hookserver.core.requests import Answer, InboundRequest, header_values, is_application
from hookserver.core.tasks import record_seq
from hookserver.errors import CorruptionError, Refused, StorageUnavailable
from hookserver.providers import agora
from hookserver.providers.generic import unknown
from hookserver.providers.receiver import Unfit
from hookserver.services.certificates import Certificates
from hookserver.services.endpoints import Endpoint
from hookserver.services.reception import CertificateWanted, Filtered, Reception, Taken, content_length

log = logging.getLogger("hookserver.intake")

#: Bodies above this are verified and parsed in a thread. The slowest text of this size takes 15 ms.
LARGE_BODY = 32 * 1024
LARGE_FOR_A_SCHEMA = 1024   # and with a schema, which may take 9,000 steps for one of this size
HOOKS = "/hooks/"   # what comes below it was meant for a source, whatever the method


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
    large bodies (None: the loop's own). ``read(seq)`` gives the line of a record, and blocks. ``recall(source, key)`` is a memory of events
    that lasts longer than the window of duplicates: a seq, or None.
    ``certificates``: how those of senders are fetched.
    """

    def __init__(self, config: Config, *, storage, dedup, rejections, steady: Callable[[], float] = time.monotonic,
                 clock: Callable[[], int] = wall_ms, threads: Executor | None = None,
                 read: Callable[[int], bytes | None] = lambda seq: None, certificates: Certificates | None = None,
                 recall: Callable[[str, str], int | None] = lambda source, key: None):
        self._log, self._dedup, self._rejections, self._read = storage, dedup, rejections, read
        self._recall_seq = recall
        self._steady, self._clock, self._threads = steady, clock, threads
        self._trusted: Sequence[Network] = config.server.trusted_proxies
        self._certificates = certificates
        self.reception = Reception(config, unknown if certificates is None else certificates.known)
        self._in_flight: dict[tuple[str, str], asyncio.Future] = {}
        self.accepted: Counter[str] = Counter()    # source -> records made
        self.duplicates: Counter[str] = Counter()  # source -> answered without a new record
        self.refused: Counter[str] = Counter()     # cause -> requests

    # -- headers only ----------------------------------------------------------------------------

    def owns(self, method: str, path: str) -> bool:
        """Whether this request is for intake: a hook path, configured or not, anything below /hooks/, or a POST to nowhere else.

        What is posted to a path that nobody has matches no source, and that is kept as a rejection.
        """
        return (self.reception.find(path) is not None or agora.looks_like(path) or path.startswith(HOOKS)
                or method == "POST" and not is_application(path))

    def admit(self, method: str, path: str, headers: Sequence[tuple[str, str]], peer: str, query: str = "") -> Admission | Answer:
        """Decide from the headers. Takes a token of the client's rate when the body may come."""
        endpoint = self.reception.find(path)
        known = {name.lower(): value for name, value in headers}
        client = self.client_of(headers, peer) if "x-forwarded-for" in known else plain_text(peer)
        refused = self.reception.refuse_early(endpoint, method, known, client, path, query) or self._too_fast(endpoint, client)
        if refused is None:
            return Admission(self.reception.limit(endpoint, path, query), client)
        return self.refuse(InboundRequest(method, path, query, headers, b"", peer, client, self._clock()), refused,
                           size=content_length(known))

    def client_of(self, headers: Sequence[tuple[str, str]], peer: str) -> str:
        """The address to hold responsible."""
        return client_address(peer, header_values(headers, "X-Forwarded-For"), self._trusted)

    def _too_fast(self, endpoint: Endpoint | None, client: str) -> Refused | None:
        limiter = endpoint.limiter if endpoint else self.reception.limiter
        wait = limiter.take(bucket_of(client), self._steady())
        return Refused("rate_limited", retry_after=wait) if wait else None

    # -- the whole request -----------------------------------------------------------------------

    async def receive(self, request: InboundRequest) -> Answer:
        """Keep the request, durably, or refuse it. The request has been admitted."""
        try:
            taken = await self.examine(request)
            if type(taken) is Answer:
                return taken
            event, duplicate = await self._keep(request, taken)
            if duplicate and taken.endpoint.receiver.recalls:
                return await self._recall(taken, event)
            return taken.endpoint.success(taken.examined, event, duplicate)
        except Refused as refused:
            return self.refuse(request, refused)
        except StorageUnavailable as trouble:
            return self._unavailable(trouble)

    async def again(self, request: InboundRequest, note: str, key: str, *, dry_run: bool = False) -> tuple[Taken, str | None, bool]:
        """A request of earlier, through all checks but the rate. ``note`` is kept with it as the check "replay".
        ``key``: its own, for a sender whose events have none, so that it is not taken in twice.

        Returns what it is, the id of its event, and whether that was there already; a dry run has no id for a new one.
        Raises StorageUnavailable, and Refused: it is not kept among the rejections a second time.
        """
        taken = await self._in_thread(self.reception.judge, request)
        if taken.examined.key is None:
            taken = msgspec.structs.replace(taken, examined=msgspec.structs.replace(taken.examined, key=key))
        if dry_run:
            event = self.known_as(request, taken)
            return taken, event, event is not None
        return taken, *await self._keep(request, taken, {"replay": note})

    async def put(self, endpoint: Endpoint, body: bytes) -> tuple[str, bool]:
        """Something that we have fetched ourselves, as an event of ``endpoint``. Returns its id, and whether it was there already.

        Raises Refused, StorageUnavailable.
        """
        request = InboundRequest("", "", "", (), body, "", "", self._clock())
        taken = self.reception.examine(endpoint, request)
        return await self._keep(request, taken)

    async def examine(self, request: InboundRequest) -> Taken | Answer:
        """What it is, and where it goes; of a handshake, the answer. Raises Refused."""
        endpoint = self.reception.endpoint_of(request)
        if endpoint.certified or len(request.body) > (LARGE_BODY if endpoint.terms.schema is None else LARGE_FOR_A_SCHEMA):
            return await self._in_thread(self.reception.examine, endpoint, request)
        return self.reception.examine(endpoint, request)

    async def _in_thread(self, work: Callable, *arguments):
        """``work`` in a thread; once more where a certificate had to be fetched first. Raises what it raises."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, work, *arguments)
        except CertificateWanted as wanted:
            if self._certificates is None or not await self._certificates.get(wanted.address):
                raise
        return await loop.run_in_executor(self._threads, work, *arguments)

    async def _keep(self, request: InboundRequest, taken: Taken, checks: dict[str, str] | None = None) -> tuple[str, bool]:
        """The id of the event, once it is on disk, and whether an earlier request had made it."""
        source, key = taken.endpoint.source, taken.examined.key
        if key is None:
            stored = await self._append(request, taken, checks)
            self.accepted[source] += 1
            return stored.id, False
        slot = (source, key)
        original = self._in_flight.get(slot)
        if original is not None:
            # The twin waits for the sync of the first one and shares its fate; cancelling a twin harms nobody.
            stored = await asyncio.shield(original)
            self.duplicates[source] += 1
            return stored.id, True
        event = self.known_as(request, taken)
        if event is not None:
            self.duplicates[source] += 1
            return event, True
        future = self._in_flight[slot] = self._append(request, taken, checks)
        # Removed when its fate is known, and not before: until then it is in no index.
        future.add_done_callback(lambda done: self._settled(slot, done))
        stored = await future
        self.accepted[source] += 1
        return stored.id, False

    def known_as(self, request: InboundRequest, taken: Taken) -> str | None:
        """The id of an event on disk that this is a copy of."""
        endpoint, key = taken.endpoint, taken.examined.key
        seq = None if key is None else self._dedup.lookup(endpoint.source, key, request.at_ms, endpoint.window) or self._recall_seq(endpoint.source, key)
        return None if seq is None else event_id(self._log.store_id, seq)

    def _append(self, request: InboundRequest, taken: Taken, checks: dict[str, str] | None) -> asyncio.Future:
        endpoint, examined = taken.endpoint, taken.examined
        request = endpoint.receiver.kept(request)
        path = f"{request.path}?{request.query}" if request.query else request.path
        return self._log.append(event_draft(
            source=endpoint.source, provider=endpoint.receiver.name, type=examined.type, key=examined.key, app=examined.app,
            job=examined.job, method=request.method, path=path, client=request.client, headers=request.headers,
            body=request.body, is_json=examined.is_json, checks=taken.checks if checks is None else taken.checks | checks, to=taken.to))

    def _settled(self, slot: tuple[str, str], done: asyncio.Future) -> None:
        self._in_flight.pop(slot, None)
        if not done.cancelled():
            done.exception()  # looked at, so that asyncio does not call it forgotten

    # -- answers ---------------------------------------------------------------------------------

    async def _recall(self, taken: Taken, event: str) -> Answer:
        """The answer to a duplicate that depends on the first one. Raises Refused, StorageUnavailable."""
        found = await self._in_thread(self._repeated, taken, record_seq(event))
        if type(found) is Unfit:
            raise Refused(found.code, found.message, hint=found.hint, status=found.status)
        return found

    def _repeated(self, taken: Taken, seq: int) -> Answer | Unfit:
        """The answer to a duplicate, from the first one's record. Raises StorageUnavailable."""
        try:
            line = self._read(seq)
            if line is not None:
                return taken.endpoint.receiver.repeated(taken.examined, decode(line))
            why = "it is no longer in the log"
        except (OSError, CorruptionError, BadLine) as error:
            why = str(error)
        raise StorageUnavailable(f"the record of the first request cannot be read: {why}")

    def _unavailable(self, trouble: StorageUnavailable) -> Answer:
        """Nothing was acknowledged; the sender keeps the event and sends it again."""
        self.refused[trouble.code] += 1
        refused = Refused(trouble.code, retry_after=trouble.retry_after)
        return Answer(refused.status, json.dumps(refused.body()).encode(), refused.headers)

    def refuse(self, request: InboundRequest, refused: Refused, *, size: int | None = None) -> Answer:
        """Answer a refusal and keep the request with its cause.

        ``size`` is the length that the client announced, when the body was not read.
        """
        self.refused[refused.code] += 1
        endpoint = self.reception.find(request.path)
        source = endpoint.source if endpoint else None
        request = self.reception.kept(request)
        size = len(request.body) if size is None else size
        kept = self._rejections.add(request, source=source, cause=refused.code, status=refused.status,
                                    message=refused.message, hint=refused.hint, size=size)
        if kept is not None:  # a flood is only counted, in the ring as in our log
            log.info("refused cause=%s status=%d source=%s client=%s method=%.10r path=%.120r bytes=%d", refused.code,
                     refused.status, source, request.client, request.method, request.path, size)
        if type(refused) is Filtered:
            return refused.answer
        bare = refused.status == 401 and endpoint is not None and getattr(endpoint.receiver, "bare", False)
        return Answer(refused.status, b"" if bare else json.dumps(refused.body()).encode(), refused.headers)

    def shown(self, path: str) -> str:
        """A path as it may stand in our log."""
        return self.reception.kept(InboundRequest("", path, "", (), b"", "", "", 0)).path

    # -- numbers ---------------------------------------------------------------------------------

    def stats(self) -> dict[str, int]:
        """Real numbers for /debug/cache."""
        limiters = {id(endpoint.limiter): endpoint.limiter for endpoint in self.reception.endpoints.values()}
        limiters[id(self.reception.limiter)] = self.reception.limiter
        return {"in_flight": len(self._in_flight), "buckets": sum(map(len, limiters.values())),
                "accepted": self.accepted.total(), "duplicates": self.duplicates.total(), "refused": self.refused.total()}
