"""Where a request may go: URLs read strictly, and addresses that data from outside must not reach.

A URL is taken as it is or not at all. What two programs could read differently is refused: an address in one
number or in octal, user names, backslashes, white space, a fragment. Nothing is mended, so what was checked is what is sent.

``forbidden`` judges addresses and not names: the caller resolves once, has every answer judged, and connects to a judged
one. The list is written out, because ``ipaddress.is_global`` changes with the Python release (CVE-2024-4032). Sources: the IANA
registries of special-purpose addresses (RFC 6890 and its updates), and addresses at which clouds serve credentials.

Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

import msgspec

from hookserver.core.addresses import Address, Network

MAX_URL = 2048      # characters
MAX_HOST = 253
PORTS = {"http": 80, "https": 443}

_SHAPE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?]*)(/[^?]*)?(\?.*)?", re.ASCII)
_UNSAFE = re.compile(r'[^!$-;=?-\[\]_a-z~]')     # all that RFC 3986 does not allow anywhere, and "#"
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)


class Target(msgspec.Struct, frozen=True):
    """A URL taken apart. ``host``: a lower-case name, or an address without brackets; ``path``: with its query, as it was written.

    ``address`` is set when the host is an address.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None = None

    @property
    def authority(self) -> str:
        """For the Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """``https://host:port``: what may be shown of a URL whose path may be a secret."""
        return f"{self.scheme}://{self.authority}"


def parse_url(text: str) -> Target:
    """An absolute http or https URL. Raises ValueError that says what is wrong, without repeating the URL."""
    if len(text) > MAX_URL:
        raise ValueError(f"the URL is longer than {MAX_URL} characters")
    if bad := _UNSAFE.search(text):
        raise ValueError(_unsafe(bad[0]))
    if _BAD_ESCAPE.search(text):
        raise ValueError("% must be followed by two hex digits")
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ValueError("not an absolute URL such as https://host/path")
    scheme, authority = shape[1].lower(), shape[2]
    if scheme not in PORTS:
        raise ValueError(f"the scheme is {scheme!r}, not http or https")
    if "@" in authority:
        raise ValueError("a user name or password in the URL; use a header instead")
    if "[" in (shape[3] or "") + (shape[4] or "") or "]" in (shape[3] or "") + (shape[4] or ""):
        raise ValueError("brackets after the host must be percent-encoded")
    host, address, port = _authority(authority)
    return Target(scheme, host, PORTS[scheme] if port is None else port, (shape[3] or "/") + (shape[4] or ""), address)


def _unsafe(character: str) -> str:
    if character == "#":
        return "a fragment (#) is never sent, so it must not be there"
    if character == "\\":
        return "a backslash"
    if not character.isascii():
        return f"the character {character!r}: write names as xn--… and the rest percent-encoded"
    if character <= " " or character == "\x7f":
        return "white space or a control character"
    return f"the character {character!r} must be percent-encoded"


def _authority(text: str) -> tuple[str, Address | None, int | None]:
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        if not bracket or rest and not rest.startswith(":"):
            raise ValueError("an unfinished address in brackets")
        try:
            address = ipaddress.IPv6Address(inside)
        except ValueError:
            raise ValueError("what stands in brackets is not an IPv6 address") from None
        if address.scope_id is not None:
            raise ValueError("an address with a zone")
        return str(address), address, _port(rest)
    host, colon, port = text.partition(":")
    return *_host(host), _port(colon + port)


def _port(text: str) -> int | None:
    """``:8080`` -> 8080, "" -> None."""
    if not text:
        return None
    if not re.fullmatch(r":[1-9][0-9]{0,4}", text, re.ASCII) or int(text[1:]) > 65535:
        raise ValueError("the port is not a number from 1 to 65535")
    return int(text[1:])


def _host(host: str) -> tuple[str, Address | None]:
    if not host:
        raise ValueError("no host")
    if len(host) > MAX_HOST:
        raise ValueError(f"the host is longer than {MAX_HOST} characters")
    labels = host.split(".")
    if labels[-1] == "":
        raise ValueError("the host ends with a dot")
    if _NUMBER.fullmatch(labels[-1]):  # the C library reads 127.1, 0x7f000001 and 0177.0.0.1 as addresses, too
        try:
            address = ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError("an address must be four decimal numbers, such as 192.0.2.1") from None
        return str(address), address
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("the host is not a name: labels of letters, digits and hyphens, at most 63 characters each")
    return host.lower(), None


# -- addresses -----------------------------------------------------------------------------------

_V4 = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "a private network",
    "100.64.0.0/10": "a carrier's shared network",
    "127.0.0.0/8": "this machine",
    "168.63.129.16/32": "a cloud's own service",
    "169.254.0.0/16": "link-local, where clouds serve credentials",
    "172.16.0.0/12": "a private network",
    "192.0.0.0/24": "reserved for protocols",
    "192.0.2.0/24": "reserved for documentation",
    "192.88.99.0/24": "a relay of 6to4",
    "192.168.0.0/16": "a private network",
    "198.18.0.0/15": "reserved for benchmarks",
    "198.51.100.0/24": "reserved for documentation",
    "203.0.113.0/24": "reserved for documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
_V6 = {
    "::/128": "no address",
    "::1/128": "this machine",
    "64:ff9b::/96": "NAT64: an IPv4 address in disguise",
    "64:ff9b:1::/48": "NAT64: an IPv4 address in disguise",
    "2001::/32": "Teredo: an IPv4 address in disguise",
    "2001::/23": "reserved for protocols",
    "2001:db8::/32": "reserved for documentation",
    "2002::/16": "6to4: an IPv4 address in disguise",
    "3fff::/20": "reserved for documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "a private network",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
_FORBIDDEN = {version: [(int(network.network_address), int(network.netmask), name) for network, name in
                        ((ipaddress.ip_network(text), name) for text, name in table.items())]
              for version, table in ((4, _V4), (6, _V6))}
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


def forbidden(address: Address, allow: Sequence[Network] = ()) -> str | None:
    """Why nothing from outside may make us connect to this address; None when it may. ``allow``: networks that are open all the same.

    An IPv4 address written as IPv6 (``::ffff:127.0.0.1``) is judged as what the kernel connects to.
    """
    address = getattr(address, "ipv4_mapped", None) or address
    if getattr(address, "scope_id", None) is not None:
        return f"{address} has a zone"
    if any(address.version == network.version and address in network for network in allow):
        return None
    number = int(address)
    for first, mask, name in _FORBIDDEN[address.version]:
        if number & mask == first:
            return f"{address} is {name}"
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return f"{address} is not a global address"
    return None
