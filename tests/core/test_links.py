import pytest

from hookserver.core.links import classify, direct, identity, parse_link


@pytest.mark.parametrize("link, wanted", [
    ("https://www.dropbox.com/scl/fo/...&dl=1", "dropbox"),
    ("https://dropbox.com/s/...", "dropbox"),
    ("https://dl.dropboxusercontent.com/s/x/y.zip", "dropbox"),
    ("HTTPS://WWW.DropBox.COM/s/x", "dropbox"),
    ("https://fromsmash.com/wOdvYpMARw-dt", "fromsmash"),
    ("https://www.swisstransfer.com/d/0a", "swisstransfer"),
    ("https://example.com/?u=https://dropbox.com/s/x", "external"),
    ("https://dropbox.com.evil.example/s/x", "external"),
    ("https://notdropbox.com/s/x", "external"),
    ("https://server.example.workers.dev/dropbox/b/o/file", "external"),
])
def test_the_host_alone_decides(link, wanted):
    assert classify(parse_link(link)) == wanted


def test_ones_own_hosts_cover_their_subdomains_and_are_stronger():
    more = {"files.example.com": "dropbox", "dropbox.com": "external"}
    assert classify(parse_link("https://eu.files.example.com/a"), more) == "dropbox"
    assert classify(parse_link("https://example.com/a"), more) == "external"
    assert classify(parse_link("https://www.dropbox.com/a"), more) == "external"


@pytest.mark.parametrize("link, wanted", [
    ("https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0", "https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=1"),
    ("https://www.dropbox.com/scl/fi/a/b.zip?dl=0&rlkey=k&raw=1#x", "https://www.dropbox.com/scl/fi/a/b.zip?rlkey=k&dl=1"),
    ("https://dropbox.com/s/a/b.zip", "https://dropbox.com/s/a/b.zip?dl=1"),
    ("https://example.com/61 Camille.zip?dl=0", "https://example.com/61%20Camille.zip?dl=0"),
    ("https://example.com/é", "https://example.com/%C3%A9"),
])
def test_the_file_itself_is_asked_for(link, wanted):
    assert direct(parse_link(link)) == wanted


def test_two_links_to_one_thing_are_one():
    one = identity(parse_link("https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=0"))
    assert one == identity(parse_link("http://dropbox.com/scl/fo/a/b?dl=1&rlkey=k"))
    assert one != identity(parse_link("https://dropbox.com/scl/fo/a/b?rlkey=other"))
    assert identity(parse_link("https://a.example/?dl=1")) != identity(parse_link("https://a.example/?dl=0"))


@pytest.mark.parametrize("link", ["", "dropbox.com/s/x", "javascript:alert(1)", "ftp://a/b", "https://a\\@b/", "https://u:p@a/", "//a/b", "https:///x", "https://a/\ud800"])
def test_what_is_no_link_says_so(link):
    with pytest.raises(ValueError):
        parse_link(link)
