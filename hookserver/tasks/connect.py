"""Names into addresses, addresses into connections.

A name is looked up once for each connection. When the URL came from outside, every answer is judged, and one bad answer refuses
the whole name; the connection is made to a judged address and not to the name. A name that changes its mind between
check and use (DNS rebinding) gains nothing.

Why not Tornado's IOStream: it logs a warning for each connection that fails and each certificate that is wrong. To us
these are outcomes, and a destination that is down for a night should not fill the journal.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from hookserver.core.addresses import Address, Network
from hookserver.core.guard import Target, forbidden

LOOKUPS = 32        # names that are looked up at the same time
MAX_ADDRESSES = 8   # of a name that are tried
STAGGER = 0.25      # seconds that one address has before the next one is tried beside it (RFC 8305, 5)

Lookup = Callable[[str], Sequence[Address]]
ProtocolType = TypeVar("ProtocolType", bound=asyncio.Protocol)


class Unreachable(Exception):
    """No connection. ``cause`` is one of core.tasks.CAUSES; ``final``: it is no use to try again."""

    def __init__(self, cause: str, note: str, *, final: bool = False):
        super().__init__(note)
        self.cause, self.note, self.final = cause, note, final


def system_lookup(name: str) -> list[Address]:
    """All addresses of a name, as the system orders them. Raises OSError. Blocks, for as long as the system's resolver does."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))


class Names:
    """Looks names up in threads.

    Each lookup has a thread of its own, because one that hangs cannot be stopped: it must not take a thread that somebody else waits
    for, nor hold up the end of the process. A name that is being looked up is not looked up twice, so a bad one costs one thread.
    """

    def __init__(self, lookup: Lookup = system_lookup):
        self._lookup = lookup
        self._running: dict[str, asyncio.Future[Sequence[Address]]] = {}    # waiting ones too
        self._waiting: deque[str] = deque()

    async def addresses(self, name: str) -> Sequence[Address]:
        """Raises Unreachable."""
        found = self._running.get(name)
        if found is None:
            found = self._running[name] = asyncio.get_running_loop().create_future()
            self._waiting.append(name)
            self._start()
        try:
            addresses = await asyncio.shield(found)
        except (OSError, ValueError) as error:
            raise Unreachable("dns", f"{name}: {_words(error)}") from None
        if not addresses:
            raise Unreachable("dns", f"{name} has no address")
        return addresses

    def _start(self) -> None:
        while self._waiting and len(self._running) - len(self._waiting) < LOOKUPS:
            name = self._waiting.popleft()
            threading.Thread(target=self._run, args=(name, self._running[name]), name="name", daemon=True).start()

    def _run(self, name: str, found: asyncio.Future) -> None:
        addresses: Sequence[Address] = ()
        trouble: Exception | None = None
        try:
            addresses = self._lookup(name)
        except (OSError, ValueError) as error:  # UnicodeError is a ValueError
            trouble = error

        def settle() -> None:
            del self._running[name]
            self._start()
            if trouble is not None:
                found.set_exception(trouble)
                found.exception()  # whoever waited may have gone
            else:
                found.set_result(addresses)

        try:
            found.get_loop().call_soon_threadsafe(settle)
        except RuntimeError:
            pass  # the loop has been closed: nobody waits any more


class Connector:
    """Makes connections. ``allow``: None when URLs are trusted (they stand in conf.yaml); else the networks that a
    URL from outside may reach although they are not public.
    """

    def __init__(self, names: Names | None = None, *, allow: Sequence[Network] | None = None):
        self._names, self._allow = names or Names(), allow
        self._contexts: dict[Path | None, ssl.SSLContext] = {}

    @property
    def guards(self) -> bool:
        return self._allow is not None

    async def connect(self, target: Target, factory: Callable[[], ProtocolType], *, ca: Path | None = None,
                      phase: Callable[[str], None] = lambda _: None) -> tuple[ProtocolType, str]:
        """A connected protocol, over TLS for https, and the address it is connected to.

        ``phase`` is told what is being waited for. Takes as long as it takes: the caller sets a limit. Raises Unreachable.
        """
        context = self._context(ca) if target.scheme == "https" else None
        connected, address = await self.reach(target.host, target.port, phase=phase)
        phase(f"the TLS handshake with {address}" if context else "the connection")
        try:
            _, protocol = await asyncio.get_running_loop().create_connection(
                factory, sock=connected, ssl=context, server_hostname=target.host if context else None)
        except ssl.SSLError as error:
            raise Unreachable("tls", tls_trouble(error)) from None
        except OSError as error:
            raise Unreachable("tls" if context else "connect", f"{address}: {_words(error)}") from None
        return protocol, str(address)

    async def reach(self, host: str, port: int, *, phase: Callable[[str], None] = lambda _: None) -> tuple[socket.socket, Address]:
        """A connected socket that does not block, and the address it is connected to. ``host``: a name, or an address.

        Takes as long as it takes. Raises Unreachable.
        """
        try:
            addresses: Sequence[Address] = (ipaddress.ip_address(host),)
        except ValueError:
            phase("the name's address")
            addresses = await self._names.addresses(host)
        self._judge(host, addresses)
        phase("the connection")
        return await _first(addresses[:MAX_ADDRESSES], port)

    def _judge(self, host: str, addresses: Sequence[Address]) -> None:
        if self._allow is None:
            return
        for address in addresses:
            if reason := forbidden(address, self._allow):
                by = "" if str(address) == host else f"{host}: "
                raise Unreachable("guard", f"{by}{reason}, and a URL from outside must not lead there", final=True)

    def _context(self, ca: Path | None) -> ssl.SSLContext:
        """Certificates and names are checked; there is no way to ask for less."""
        context = self._contexts.get(ca)
        if context is None:
            try:
                context = ssl.create_default_context(cafile=None if ca is None else str(ca))
            except OSError as error:    # SSLError is one
                raise Unreachable("tls", f"the certificates in {ca} cannot be read: {_words(error)}") from None
            context.set_alpn_protocols(["http/1.1"])
            self._contexts[ca] = context
        return context

    async def trust(self, ca: Path | None) -> None:
        """Read certificates in a thread: the system's take 30 ms, which the loop should not wait for. Raises Unreachable."""
        if ca not in self._contexts:
            await asyncio.get_running_loop().run_in_executor(None, self._context, ca)


async def _first(addresses: Sequence[Address], port: int) -> tuple[socket.socket, Address]:
    """The first address that takes a connection; each has a start of STAGGER over the next. Raises Unreachable."""
    if len(addresses) == 1:
        return await _connected(addresses[0], port)
    waiting = deque(addresses)
    running: set[asyncio.Future[tuple[socket.socket, Address]]] = set()
    won: list[tuple[socket.socket, Address]] = []
    trouble: BaseException | None = None
    try:
        while not won and (waiting or running):
            if waiting:
                running.add(asyncio.ensure_future(_connected(waiting.popleft(), port)))
            ended, running = await asyncio.wait(running, timeout=STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED)
            for trial in ended:
                trouble = trial.exception() or trouble
                won += [] if trial.exception() else [trial.result()]
    finally:
        for trial in running:
            trial.cancel()
        for connected, _ in won[1:]:
            connected.close()
    if not won:
        raise trouble
    return won[0]


async def _connected(address: Address, port: int) -> tuple[socket.socket, Address]:
    connected = None
    try:
        connected = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
        connected.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connected, (str(address), port))
    except BaseException as error:
        if connected is not None:
            connected.close()
        if isinstance(error, OSError):
            raise Unreachable("connect", f"{address}: {_words(error)}") from None
        raise
    return connected, address


def _words(error: Exception) -> str:
    """What went wrong, without the addresses and numbers that asyncio adds."""
    number = getattr(error, "errno", None)
    if isinstance(error, ssl.SSLError) or not number or number < 0:   # below 0: the resolver's own
        return getattr(error, "strerror", None) or str(error) or "it was closed"
    return os.strerror(number).lower()


def tls_trouble(error: ssl.SSLError) -> str:
    """``certificate has expired`` rather than where in the C code that was found."""
    return getattr(error, "verify_message", "") or (error.reason or "the handshake failed").replace("_", " ").lower()
