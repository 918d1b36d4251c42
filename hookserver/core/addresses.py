"""Who is calling: the client's address from the socket peer and X-Forwarded-For.

The peer is the only thing a stranger cannot choose. Only when the peer itself is a trusted proxy
do we read X-Forwarded-For, from the right, and stop at the first address that is not a trusted
proxy: that is the entry which our own proxy added. Everything left of it is hearsay.
Nothing here raises for any input except ``parse_network``.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: More proxies in a row than this is not a set-up, it is noise.
MAX_HOPS = 32


def parse_network(text: str) -> Network:
    """An address or a network in CIDR form. Raises ValueError when it is neither or has host bits."""
    network = ipaddress.ip_network(text.strip())
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        return ipaddress.ip_network((mapped, network.prefixlen - 96))
    return network


@functools.lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """The address written in ``text``, IPv4-mapped ones as IPv4 and without a zone; None for junk.

    Takes also ``1.2.3.4:567`` and ``[::1]:567``, which some proxies write.
    """
    text = text.strip()
    if len(text) > 100 or not text.isascii():
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_trusted(address: Address | None, trusted: Sequence[Network]) -> bool:
    """Whether the address lies in one of the networks."""
    return address is not None and any(
        address.version == network.version and address in network for network in trusted)


class AddressSet:
    """Many networks, looked through in a time that does not grow with their number."""

    def __init__(self, networks: Iterable[Network]):
        self.networks = tuple(dict.fromkeys(networks))
        self._by_size: dict[tuple[int, int], dict[int, Network]] = {}   # (version, bits behind the prefix) -> prefix -> network
        for network in self.networks:
            rest = network.max_prefixlen - network.prefixlen
            self._by_size.setdefault((network.version, rest), {})[int(network.network_address) >> rest] = network

    def __repr__(self) -> str:
        return f"AddressSet({len(self.networks)} networks)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AddressSet) and set(other.networks) == set(self.networks)

    def __hash__(self) -> int:
        return hash(frozenset(self.networks))

    def holder(self, text: str) -> Network | None:
        """One of the networks that hold the address in ``text``; None when none does, or it is no address."""
        address = parse_address(text)
        if address is None:
            return None
        number = int(address)
        found = (prefixes.get(number >> rest) for (version, rest), prefixes in self._by_size.items() if version == address.version)
        return next((network for network in found if network is not None), None)


@functools.lru_cache(maxsize=4096)
def plain_text(peer: str) -> str:
    """The peer's address as we write it; what is no address (a unix socket, or none at all) as it is."""
    address = parse_address(peer)
    return peer if address is None else str(address)


def client_address(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The address to hold responsible for a request.

    ``peer`` is the socket's peer as text, ``forwarded`` the values of all X-Forwarded-For headers
    in order. Junk in the list ends the search: the last good address to its right is used.
    """
    if not forwarded:
        return plain_text(peer)
    address = parse_address(peer)
    if not is_trusted(address, trusted):
        return plain_text(peer)
    entries = ",".join(forwarded).rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    for entry in reversed(entries):
        hop = parse_address(entry)
        if hop is None:
            break
        address = hop
        if not is_trusted(hop, trusted):
            break
    return str(address)


@functools.lru_cache(maxsize=4096)
def bucket_of(client: str) -> str:
    """The rate limiter's key: an IPv4 address as it is, an IPv6 address as its /64 network.

    One customer commonly owns a whole /64; counting single IPv6 addresses would count nothing.
    """
    address = parse_address(client)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address), 64), strict=False))
    return client if address is None else str(address)
