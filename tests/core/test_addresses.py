"""Who is held responsible for a request, and under which bucket."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookserver.core.addresses import bucket_of, client_address, parse_address, parse_network

TRUSTED = tuple(map(parse_network, ["127.0.0.1", "::1", "10.0.0.0/8", "fd00::/8"]))

CASES = [
    # (peer, X-Forwarded-For values, client)
    ("203.0.113.9", [], "203.0.113.9"),
    ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # an untrusted peer may say what it likes
    ("127.0.0.1", [], "127.0.0.1"),
    ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
    ("::1", ["198.51.100.1"], "198.51.100.1"),
    ("::ffff:127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
    ("127.0.0.1", ["1.1.1.1, 2.2.2.2, 198.51.100.1"], "198.51.100.1"),
    ("127.0.0.1", ["1.1.1.1, 198.51.100.1, 10.0.0.7"], "198.51.100.1"),
    ("127.0.0.1", ["1.1.1.1", "198.51.100.1", "10.0.0.7"], "198.51.100.1"),
    ("127.0.0.1", ["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
    ("127.0.0.1", ["1.1.1.1, junk"], "127.0.0.1"),
    ("127.0.0.1", ["1.1.1.1, junk, 10.0.0.7"], "10.0.0.7"),
    ("127.0.0.1", [""], "127.0.0.1"),
    ("127.0.0.1", [" , ,"], "127.0.0.1"),
    ("127.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
    ("127.0.0.1", ["[2001:db8::5]:4711"], "2001:db8::5"),
    ("127.0.0.1", ["2001:DB8:0:0::5"], "2001:db8::5"),
    ("127.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
    ("127.0.0.1", ["fe80::1%eth0"], "fe80::1"),
    ("127.0.0.1", ["198.51.100.1\0"], "127.0.0.1"),
    ("127.0.0.1", ["unknown"], "127.0.0.1"),
    ("127.0.0.1", ["0x7f.1", "127.1"], "127.0.0.1"),
    ("127.0.0.1", ["9.9.9.9," * 10_000 + "198.51.100.1"], "198.51.100.1"),
    ("10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
    ("", ["198.51.100.1"], ""),
    ("/run/hook.sock", ["198.51.100.1"], "/run/hook.sock"),
]


@pytest.mark.parametrize("peer,forwarded,client", CASES, ids=range(len(CASES)))
def test_client(peer, forwarded, client):
    assert client_address(peer, forwarded, TRUSTED) == client


def test_nobody_is_trusted_by_default():
    assert client_address("127.0.0.1", ["198.51.100.1"], ()) == "127.0.0.1"


@pytest.mark.parametrize("text,network", [
    ("10.0.0.0/8", "10.0.0.0/8"), ("::1", "::1/128"), ("::ffff:10.0.0.0/104", "10.0.0.0/8"), (" 127.0.0.1 ", "127.0.0.1/32"),
])
def test_networks(text, network):
    assert str(parse_network(text)) == network


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "localhost", "1.2.3", "1.2.3.4/33"])
def test_bad_networks(text):
    with pytest.raises(ValueError):
        parse_network(text)


def test_buckets():
    assert bucket_of("203.0.113.9") == bucket_of("::ffff:203.0.113.9") == "203.0.113.9"
    assert bucket_of("2001:db8:1:2:3:4:5:6") == bucket_of("2001:db8:1:2::") == "2001:db8:1:2::/64"
    assert bucket_of("2001:db8:1:3::") != bucket_of("2001:db8:1:2::")
    assert bucket_of("") == "" and bucket_of("/run/s") == "/run/s"


HOSTILE = st.text() | st.sampled_from(["127.0.0.1", "10.0.0.1", "::", "[", "]", "%", ",", "1.2.3.4:5", "::1%lo", "0177.0.0.1"])


@given(HOSTILE, st.lists(HOSTILE | st.lists(HOSTILE).map(",".join), max_size=4))
def test_nothing_raises(peer, forwarded):
    client = client_address(peer, forwarded, TRUSTED)
    bucket_of(client)
    assert client == peer or isinstance(parse_address(client), (ipaddress.IPv4Address, ipaddress.IPv6Address))
