"""Which requests are taken and where they go, by configuration alone: every check that needs neither clock nor store.

Intake asks it for each request, a replay for requests of yesterday, and ``check --since`` for those of last week with a
configuration of tomorrow. A request to a path that belongs to no source is read and kept all the same: the
configuration can be mended, and the request replayed.
"""

from __future__ import annotations

import msgspec

from hookserver.config import Config
from hookserver.core.bodies import media_type, takes
from hookserver.core.conditions import Subject
from hookserver.core.hiding import hidden
from hookserver.core.ratelimit import RateLimiter
from hookserver.core.requests import Answer, InboundRequest
from hookserver.core.schemas import Schema
from hookserver.errors import Refused
from hookserver.providers.generic import unknown
from hookserver.providers.receiver import Examined, Unfit
from hookserver.services.endpoints import Certificate, Endpoint, endpoints_of, tokens_of
from hookserver.services.routing import Routing, joined

_WITH_BODY = ("POST", "PUT", "PATCH")


class Filtered(Refused):
    """The source's own conditions drop the request. It is answered like an event, but for an id, so that its sender does not send it again."""

    def __init__(self, answer: Answer):
        super().__init__("filtered", status=answer.status)
        self.answer = answer


class CertificateWanted(Refused):
    """It can be said who sent a request when the certificate at ``address`` is known."""

    def __init__(self, address: str, hint: str | None):
        super().__init__("certificate_unavailable", hint=hint, retry_after=60)
        self.address = address


class Taken(msgspec.Struct, frozen=True, gc=False):
    """A request that passes: what it is, and the targets of its tasks: destinations chosen for it, then what its source has to do.
    ``checks``: the verdicts that are kept with it."""

    endpoint: Endpoint
    examined: Examined
    to: tuple[str, ...]
    checks: dict[str, str]


class Reception:
    """``limiter``: of all sources without a rate of their own. Any thread may ask ``judge`` and ``examine``."""

    def __init__(self, config: Config, certificate: Certificate = unknown):
        self.limiter = RateLimiter(config.limits.rate)
        self.endpoints = endpoints_of(config, self.limiter, certificate)     # by path, which is matched exactly
        self._tokens = {token for endpoint in self.endpoints.values() for token in tokens_of(endpoint.receiver)}
        self.routing = Routing(config.routes, config.notify)
        self._body_limit = config.limits.body

    def add_secret(self, source: str, secret: bytes) -> None:
        """From now on a source's requests may be signed with this one, too. One that takes unsigned requests goes on to."""
        for path, endpoint in self.endpoints.items():
            if endpoint.source == source and endpoint.receiver.secrets is not None:
                receiver = msgspec.structs.replace(endpoint.receiver, secrets=(secret, *endpoint.receiver.secrets))
                self.endpoints[path] = msgspec.structs.replace(endpoint, receiver=receiver)

    def find(self, path: str) -> Endpoint | None:
        """To whom a path belongs: as it is written, or the part of it before its last name, where that name is a token."""
        endpoint = self.endpoints.get(path)
        if endpoint is not None:
            return endpoint
        above = self.endpoints.get(path[:path.rfind("/", 0, -1) + 1])
        return above if above is not None and above.below else None

    def kept(self, request: InboundRequest) -> InboundRequest:
        """The request as it may be written down, also one that has gone astray with the token of a source that is elsewhere."""
        endpoint = self.find(request.path)
        if endpoint is not None:
            request = endpoint.receiver.kept(request)
        if not self._tokens:
            return request
        return msgspec.structs.replace(
            request, path=hidden(request.path, self._tokens), query=hidden(request.query, self._tokens),
            headers=[(name, hidden(value, self._tokens)) for name, value in request.headers])

    def limit(self, endpoint: Endpoint | None, path: str = "", query: str = "") -> int:
        """Bytes of a body that are read. A stranger, told by a path or query without the token, has no part in a generous limit."""
        if endpoint is None:
            return self._body_limit
        return endpoint.limit if _stranger(endpoint, path, query) is None else min(endpoint.limit, self._body_limit)

    def refuse_early(self, endpoint: Endpoint | None, method: str, known: dict[str, str], client: str, path: str, query: str) -> Refused | None:
        """What the headers alone tell, and path, query and address; ``known``: lower-case name -> value."""
        if endpoint is None:
            if method not in _WITH_BODY:
                return unmatched()
        elif method not in endpoint.receiver.methods:
            return _wrong_method(endpoint)
        elif not _is_taken(known.get("content-type"), endpoint.receiver.content_types):
            return Refused("unsupported_type", hint=f"Send Content-Type: {' or '.join(map(_named, sorted(endpoint.receiver.content_types)))}.")
        if known.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
            return Refused("unsupported_encoding")
        limit = self.limit(endpoint, path, query)
        if (content_length(known) or 0) > limit:
            unfit = None if endpoint is None else _stranger(endpoint, path, query)
            return _too_large(limit) if unfit is None else _refused(unfit)
        if endpoint is not None and endpoint.terms.allow_ips is not None and endpoint.terms.allow_ips.holder(client) is None:
            return Refused("address_denied")
        return None

    def endpoint_of(self, request: InboundRequest) -> Endpoint:
        """Where a whole request belongs. Raises Refused."""
        endpoint = self.find(request.path)
        if endpoint is None:
            raise unmatched()
        if request.method not in endpoint.receiver.methods:
            raise _wrong_method(endpoint)
        if len(request.body) > endpoint.limit:
            raise _too_large(endpoint.limit)
        return endpoint

    def examine(self, endpoint: Endpoint, request: InboundRequest) -> Taken | Answer:
        """What it is, and where it goes; of a handshake, the answer. Raises Refused."""
        found = endpoint.receiver.examine(request)
        if type(found) is Answer:
            return found
        if type(found) is Unfit:
            if found.wanted is not None:
                raise CertificateWanted(found.wanted, found.hint)
            raise _refused(found)
        source, checks = endpoint.source, further(endpoint, request, found)
        to = self.routing.choose(source, found.type, request.client, request.headers, found.value)
        return Taken(endpoint, found, (*to, *[f"{source}.{task}" for task in found.tasks]) if found.tasks else to, checks)

    def judge(self, request: InboundRequest) -> Taken:
        """All checks at once. Raises Refused, for a handshake too."""
        refused = self.refuse_early(self.find(request.path), request.method,
                                    {name.lower(): value for name, value in request.headers}, request.client, request.path, request.query)
        if refused is not None:
            raise refused
        found = self.examine(self.endpoint_of(request), request)
        if type(found) is Answer:
            raise Refused("handshake")
        return found


def further(endpoint: Endpoint, request: InboundRequest, found: Examined) -> dict[str, str]:
    """The verdicts on an authentic request, with those of the checks that its source asks for besides. Raises Refused."""
    terms, verdicts = endpoint.terms, {"signature": found.verdict.text}
    if terms.allow_ips is not None:
        verdicts["address"] = f"{request.client} is in {terms.allow_ips.holder(request.client) or 'no network of the list'}"
    if terms.drop is not None:
        if terms.drop.matches(Subject(endpoint.source, found.type, request.client, joined(request.headers), found.value)):
            raise Filtered(endpoint.success(found, "", False))
        verdicts["filter"] = "not dropped"
    if terms.schema is not None:
        if (wrong := _misfit(terms.schema, request, found)) is not None:
            raise Refused("schema_mismatch", hint=f"{wrong}.")
        verdicts["schema"] = "fits"
    return verdicts


def _misfit(schema: Schema, request: InboundRequest, found: Examined) -> str | None:
    """What is wrong with a body, in words. Of a form its fields are looked at, all of which are texts."""
    if not found.is_json and found.value is None:
        return "the body is neither JSON nor a form"
    return schema.check(found.value, len(request.body))


def _stranger(endpoint: Endpoint, path: str, query: str) -> Unfit | None:
    """The refusal of what has no token, where that is in the path or the query."""
    return endpoint.receiver.refuses(path, query) if endpoint.below else None


def _refused(unfit: Unfit) -> Refused:
    return Refused(unfit.code, unfit.message, hint=unfit.hint, status=unfit.status)


def unmatched() -> Refused:
    return Refused("unmatched", hint="The path is that of a source in conf.yaml; of Agora, /<app id>/webhooks.")


def _wrong_method(endpoint: Endpoint) -> Refused:
    return Refused("method_not_allowed", headers={"Allow": ", ".join(endpoint.receiver.methods)})


def _too_large(limit: int) -> Refused:
    return Refused("too_large", f"The body is larger than the {limit} bytes that are accepted here.")


def _is_taken(content_type: str | None, taken: frozenset[str]) -> bool:
    """A sender that does not say what it sends is let in: the parser will tell."""
    return content_type is None or content_type in taken or takes(taken, media_type(content_type))


def _named(content_type: str) -> str:
    return f"*/*{content_type}" if content_type.startswith("+") else content_type


def content_length(known: dict[str, str]) -> int | None:
    """The announced length of the body, in bytes; None for none, or nonsense."""
    text = known.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
