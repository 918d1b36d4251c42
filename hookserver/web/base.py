"""What every handler of the application shares: access, Host, headers, errors as JSON."""

from __future__ import annotations

import enum
import ipaddress
import logging
import secrets
from collections.abc import AsyncIterator

import msgspec
from tornado import iostream, web

from hookserver.core.addresses import client_address, is_trusted, parse_address
from hookserver.errors import CorruptionError, Refused, StorageUnavailable
from hookserver.web.auth import COOKIE
from hookserver.web.parameters import Parameters
from hookserver.web.replies import SERVER

log = logging.getLogger("hookserver.web")

CSP = ("default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'")
_CODES = {400: "bad_request", 403: "cross_origin", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class Access(enum.Enum):
    """Who may use a route: everybody, a sender that signs (its service checks that), or the holder of the admin token."""

    PUBLIC = "public"
    SIGNED = "signed"
    ADMIN = "admin"


class BaseHandler(web.RequestHandler):
    """``self.house`` holds the services, ``self.access`` what the route table says."""

    def initialize(self, access: Access, house) -> None:
        self.access, self.house = access, house

    def set_default_headers(self) -> None:
        self.set_header("Server", SERVER)
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Content-Security-Policy", CSP)
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")

    def prepare(self) -> None:
        if not self.house.hosts.good(self.request.host_name):
            raise Refused("wrong_host", hint="Name this host in server.site_url, or use its address.")
        if self.access is Access.ADMIN:
            self.require_admin()

    def require_admin(self) -> None:
        """Raises Refused for anybody else."""
        if not self.is_admin():
            raise Refused("token_required", hint="Send Authorization: Bearer TOKEN, or log in.",
                          headers={"WWW-Authenticate": "Bearer"})

    def is_admin(self) -> bool:
        """Whether this request carries the admin token, or the cookie made from it."""
        return self.house.auth.knows(self.request.headers.get("Authorization"), self.get_cookie(COOKIE))

    def parameters(self, *known: str) -> Parameters:
        """The query's parameters, of which only ``known`` may be there. Raises Refused."""
        return Parameters(self.request.query_arguments, known)

    def client(self) -> str:
        """The address to hold responsible."""
        forwarded = self.request.headers.get_list("X-Forwarded-For")
        return client_address(self.request.remote_ip, forwarded, self.house.trusted_proxies)

    def is_https(self) -> bool:
        """Whether the browser speaks TLS, to us or to a proxy that we trust."""
        if self.request.protocol == "https":
            return True
        return (is_trusted(parse_address(self.request.remote_ip), self.house.trusted_proxies)
                and self.request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip() == "https")

    def json_body(self) -> dict:
        """The body as a JSON object. Raises Refused."""
        try:
            value = msgspec.json.decode(self.request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused("bad_json", f"The body is not JSON: {error}.") from None
        if not isinstance(value, dict):
            raise Refused("bad_json", "The body must be a JSON object.")
        return value

    def send(self, value: object) -> None:
        """Finish with ``value`` as JSON."""
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(value))

    async def send_pieces(self, pieces: AsyncIterator[bytes]) -> None:
        """Write ``pieces`` as fast as the client takes them. What fails on the way cuts the answer off visibly."""
        try:
            async for piece in pieces:
                self.write(piece)
                await self.flush()
        except iostream.StreamClosedError:
            pass  # the client has gone
        except Exception:
            self.cut_off()

    def cut_off(self) -> None:
        """For an exception in the middle of an answer: break the connection, so that nobody takes it for whole.

        Before the answer has begun, the exception goes on.
        """
        if not self._headers_written:
            raise
        log.exception("an answer was cut off request=%s path=%.200s", self.reference(), self.request.path)
        self.request.connection.close()

    def compute_etag(self) -> str | None:
        return None  # answers are not to be kept, so a hash over each would be for nothing

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            raise Refused("bad_request", f"{name or 'The path'} is not UTF-8.") from None
        if "\0" in text:
            raise Refused("bad_request", f"{name or 'The path'} holds a NUL character.")
        return text

    def _origin_matches_host(self, origin: str) -> bool:
        """Tornado's own raises for an Origin that is no address; such a one is nobody's."""
        try:
            return super()._origin_matches_host(origin)
        except ValueError:
            return False

    # errors

    def write_error(self, status_code: int, **kwargs) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        refused = self._as_refused(status_code, error)
        self.set_status(refused.status)
        for name, value in refused.headers.items():
            self.set_header(name, value)
        self.send(refused.body())

    def _as_refused(self, status: int, error: BaseException | None) -> Refused:
        if isinstance(error, Refused):
            return error
        if isinstance(error, StorageUnavailable):
            return Refused(error.code, str(error), retry_after=error.retry_after)
        if isinstance(error, (OSError, CorruptionError)):
            return Refused("store_unavailable", f"The disk gave an error, logged under {self.reference()}.", retry_after=5)
        code = _CODES.get(status)
        if code == "method_not_allowed":
            return Refused(code, headers={"Allow": ", ".join(self.allowed_methods())})
        if code is not None:
            return Refused(code)
        return Refused("internal", f"An unexpected error, logged under {self.reference()}.", retry_after=5)

    def allowed_methods(self) -> list[str]:
        """The methods that this handler has."""
        missing = web.RequestHandler._unimplemented_method
        return [verb for verb in self.SUPPORTED_METHODS if getattr(type(self), verb.lower()) is not missing]

    def reference(self) -> str:
        """A name for this request, to find its error in the log."""
        if not hasattr(self, "_reference"):
            self._reference = secrets.token_hex(4)
        return self._reference

    def log_exception(self, typ, value, tb) -> None:
        if isinstance(value, (Refused, web.HTTPError, StorageUnavailable)):
            return
        log.error("unexpected error request=%s method=%s path=%s", self.reference(), self.request.method,
                  self.request.path, exc_info=(typ, value, tb))


class NotFound(BaseHandler):
    """Every path that no row has."""

    def prepare(self) -> None:
        super().prepare()
        raise Refused("not_found")


class Hosts:
    """The Host names under which the application answers: addresses, localhost, and what the config says.

    A page of a stranger whose name was made to resolve to us (DNS rebinding) comes with that name.
    """

    def __init__(self, *names: str | None):
        self._names = {"localhost", *(name.lower() for name in names if name)}

    def good(self, name: str) -> bool:
        """Whether ``name`` (a Host header without its port) is one of ours."""
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True
