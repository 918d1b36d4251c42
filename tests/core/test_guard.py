"""URLs are read strictly, and no spelling of a private address gets by."""

import ipaddress
import re
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookserver.core.addresses import parse_network
from hookserver.core.guard import Target, forbidden, parse_url

GOOD = [
    ("http://example.com", "http", "example.com", 80, "/", "example.com"),
    ("HTTPS://Example.COM/A/b", "https", "example.com", 443, "/A/b", "example.com"),
    ("https://example.com:443/x", "https", "example.com", 443, "/x", "example.com"),
    ("https://example.com:80/x", "https", "example.com", 80, "/x", "example.com:80"),
    ("http://127.0.0.1:9000/in", "http", "127.0.0.1", 9000, "/in", "127.0.0.1:9000"),
    ("http://[::1]:9000/in", "http", "::1", 9000, "/in", "[::1]:9000"),
    ("http://[2001:DB8:0::1]/", "http", "2001:db8::1", 80, "/", "[2001:db8::1]"),
    ("http://a?x=1", "http", "a", 80, "/?x=1", "a"),
    ("http://a/b%20c?d=e&f=http://g/?h@i:j", "http", "a", 80, "/b%20c?d=e&f=http://g/?h@i:j", "a"),
    ("http://a/../b//c/./", "http", "a", 80, "/../b//c/./", "a"),
    ("http://my_service:8080/", "http", "my_service", 8080, "/", "my_service:8080"),
    ("http://xn--bcher-kva.example/", "http", "xn--bcher-kva.example", 80, "/", "xn--bcher-kva.example"),
    ("http://" + "a" * 63 + ".example/", "http", "a" * 63 + ".example", 80, "/", "a" * 63 + ".example"),
    ("http://1a.example/", "http", "1a.example", 80, "/", "1a.example"),
]


@pytest.mark.parametrize("url, scheme, host, port, path, authority", GOOD, ids=[row[0][:30] for row in GOOD])
def test_taken(url, scheme, host, port, path, authority):
    target = parse_url(url)
    assert (target.scheme, target.host, target.port, target.path, target.authority) == (scheme, host, port, path, authority)


BAD = [
    "", " ", "example.com", "/path", "//example.com/", "http:/a", "http:a", "http://", "http:///x", "http://?x", "http://:80/",
    "file:///etc/passwd", "ftp://a/", "javascript:alert(1)", "gopher://a/", "ws://a/", "http+unix://a/", "://a/", "1http://a/",
    "http://user:pw@a/", "http://user@a/", "http://@a/", "http://a@b@c/", "http://127.0.0.1:9210\\@evil/", "http://a:1\\@b/", "http:\\\\a\\",
    "http://127.0.0.1:9210#@evil/", "http://a/#frag", "http://a/b c", " http://a/", "http://a/ ", "http://a /", "http://a\t/", "http://a/\t",
    "http://a/\r\nX: y", "http://a\r\n/", "http://a/\n", "http://a/\x00", "http://a\x00.b/", "http://a/\x7f", "http://a/é", "http://é.example/",
    "http://①②⑦.0.0.1/", "http://127。0。0。1/", "http://\u2100.com/", "http://a\u202e/", "http://a/<", "http://a/\"", "http://a/{x}", "http://a/^",
    "http://a/`", "http://a/|", "http://a/%", "http://a/%4", "http://a/%zz", "http://a%2eb/", "http://%61/", "http://a/[x]",
    "http://a:0/", "http://a:99999/", "http://a:65536/", "http://a:/", "http://a:x/", "http://a:-1/", "http://a:+80/", "http://a:080/", "http://a:80:80/",
    "http://a:\u0668/", "http://a./", "http://./", "http://a..b/", "http://.a/", "http://-a/", "http://a-/", "http://" + "a" * 64 + ".example/",
    "http://" + ".".join(["a" * 60] * 5) + "/", "http://a/" + "b" * 2048, "http://a*b/", "http://a,b/", "http://a;b/", "http://a!b/",
    "http://2130706433/", "http://0/", "http://0x7f000001/", "http://0X7F.1/", "http://0177.0.0.1/", "http://127.1/", "http://127.0.1/", "http://1.2.3.4.5/",
    "http://127.0.0.01/", "http://127.0.0.256/", "http://a.0x1/", "http://a.1/", "http://0x/", "http://127.0.0.1./", "http://[::1/", "http://::1/",
    "http://[::1]x/", "http://[::1]80/", "http://[fe80::1%lo]/", "http://[fe80::1%25lo]/", "http://[127.0.0.1]/", "http://[]/", "http://[v1.x]/", "http://[::1]]/",
    "http://a[::1]/", "http://[::1]@a/", "http://a\ud800/",
]


@pytest.mark.parametrize("url", BAD, ids=range(len(BAD)))
def test_refused_and_the_reason_holds_no_secret(url):
    with pytest.raises(ValueError) as raised:
        parse_url(url.replace("pw", "s3cret"))
    assert "s3cret" not in str(raised.value)


@given(st.text(max_size=60) | st.from_regex(r"https?://[\x21-\x7e]{1,40}", fullmatch=True))
def test_what_is_taken_is_sent_as_it_was_written(text):
    try:
        target = parse_url(text)
    except ValueError:
        return
    assert re.fullmatch(r"[!-~]+", target.authority + target.path) and target.path.startswith("/")
    again = parse_url(f"{target.scheme}://{target.authority}{target.path}")
    assert again == target
    assert text.lower().endswith(target.path.lower()) or target.path in ("/", "/" + text.partition("?")[1] + text.partition("?")[2])


@given(st.from_regex(r"http://[0-9a-fA-FxX.]{1,20}/", fullmatch=True))
def test_what_the_c_library_reads_as_an_address_is_one_for_us_too_or_refused(url):
    try:
        target = parse_url(url)
    except ValueError:
        return
    try:
        packed = socket.inet_aton(target.host)
    except OSError:
        return
    assert target.address is not None and target.address.packed == packed


FORBIDDEN = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
    "::ffff:0:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "1::1", "2001::1", "2001:0:7f00:1::", "2001:1::1",
    "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fc00::1",
    "fd00:ec2::254", "fd12:3456::1", "fe80::1", "fe80::1%lo", "febf::1", "fec0::1", "ff02::1", "ff0e::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]
OPEN = ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15",
        "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
        "198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8", "2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1", "2003::1"]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_forbidden(text):
    reason = forbidden(ipaddress.ip_address(text))
    assert reason and " is " in reason or "zone" in reason


@pytest.mark.parametrize("text", OPEN)
def test_open(text):
    assert forbidden(ipaddress.ip_address(text)) is None


def test_a_network_can_be_opened_and_only_that():
    allow = (parse_network("127.0.0.0/8"), parse_network("fd00::/8"))
    for text in ("127.0.0.1", "::ffff:127.0.0.1", "fd00::1"):
        assert forbidden(ipaddress.ip_address(text), allow) is None
    for text in ("10.0.0.1", "::1", "::127.0.0.1", "fc00::1", "fe80::1%lo", "2002:7f00:1::"):
        assert forbidden(ipaddress.ip_address(text), allow)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_its_ipv6_form(address):
    plain, mapped = forbidden(address), forbidden(ipaddress.IPv6Address(f"::ffff:{address}"))
    assert plain == mapped
    for disguise in (f"64:ff9b::{address}", f"::{address}", f"::ffff:0:{address}"):
        assert forbidden(ipaddress.IPv6Address(disguise))


@given(st.ip_addresses())
def test_what_the_standard_library_calls_private_is_forbidden(address):
    if address.is_private or address.is_multicast or address.is_loopback or address.is_link_local or address.is_unspecified:
        assert forbidden(address)


def test_a_target_shows_its_origin_without_the_path():
    assert parse_url("https://hooks.example.com:8443/T000/secret").origin == "https://hooks.example.com:8443"
    assert parse_url("https://hooks.example.com/x") == Target("https", "hooks.example.com", 443, "/x")
