"""The other side of deliveries: small real servers, well behaved or not, and certificates, good or not."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Behaviour = Callable[["Visit"], None]


class Visit:
    """One connection, seen from the server. ``request`` is read when it is asked for."""

    def __init__(self, connection: socket.socket, ending: threading.Event):
        self.connection, self.ending = connection, ending

    def request(self) -> tuple[bytes, bytes]:
        """(request line and headers, body)."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._some()
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += self._some()
        return head, body

    def _some(self) -> bytes:
        piece = self.connection.recv(65536)
        if not piece:
            raise ConnectionError("closed within the request")
        return piece

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.sendall(piece)

    def wait(self, seconds: float = 60) -> None:
        """Do nothing until the test ends."""
        self.ending.wait(seconds)

    def reset(self) -> None:
        """Close so that the other side gets a RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()


class Endpoint:
    """A server on a free port that treats each connection as ``behave`` does. ``heads`` and ``bodies``: what came, as it came."""

    def __init__(self, behave: Behaviour | bytes, *, host: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None):
        self._behave, self._context = behave, context
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.visits = 0
        self._ending = threading.Event()
        self._listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128)
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> "Endpoint":
        return self

    def __exit__(self, *_) -> None:
        self._ending.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def url(self, path: str = "/in", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.visits += 1
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(30)
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                visit = Visit(connection, self._ending)
                if not isinstance(self._behave, bytes):
                    return self._behave(visit)
                head, body = visit.request()
                self.heads.append(head)
                self.bodies.append(body)
                visit.send(self._behave)


def answer(status: str = "200 OK", body: bytes = b"", *headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class Authority:
    """A certificate authority of our own; its certificate lies in ``ca``."""

    def __init__(self, home: Path, name: str = "test"):
        self._home, self._name = home, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {name}")])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca = home / f"{name}.pem"
        self._count = 0
        self.ca.write_bytes(self._certificate(self._name, self._key, authority=True).public_bytes(serialization.Encoding.PEM))

    def context(self, *names: str, days: float = 30, self_signed: bool = False) -> ssl.SSLContext:
        """For a server called ``names``; ``days`` below 0: its certificate ended so long ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._certificate(subject, key, names, days=days, self_signed=self_signed)
        self._count += 1
        path = self._home / f"server-{id(self)}-{self._count}.pem"
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
                         + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _certificate(self, subject, key, names=(), *, days: float = 30, authority: bool = False, self_signed: bool = False) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject if self_signed else self._name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=60))
                   .not_valid_after(now + datetime.timedelta(days=days)).add_extension(x509.BasicConstraints(authority, None), critical=True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        return builder.sign(key if self_signed or authority else self._key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
