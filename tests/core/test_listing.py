import pytest

from hookserver.core.listing import read_entry

NEW = {"source_url": "https://www.dropbox.com/scl/fo/a/b?rlkey=k&dl=1", "r2_url": "https://server.example.workers.dev/dropbox/b/o/file",
       "provider": "dropbox", "created_at": "2026-01-08T20:19:38+00:00", "original_filename": "61 Camille.zip"}
OLD = {"url": "https://fromsmash.com/wOdvYpMARw-dt", "timestamp": "2025-10-17T12:35:00+0200", "source": "webhook"}


def test_the_present_form():
    entry = read_entry(NEW)
    assert (entry.url, entry.kind, entry.copy, entry.provider, entry.at, entry.name) == (
        NEW["source_url"], "dropbox", NEW["r2_url"], "dropbox", 1767903578000, "61 Camille.zip")


def test_the_former_form():
    entry = read_entry(OLD)
    assert (entry.url, entry.kind, entry.copy, entry.provider, entry.at, entry.name) == (OLD["url"], "fromsmash", None, "webhook", 1760697300000, None)
    assert read_entry({"url": OLD["url"]}).provider == "webhook"


@pytest.mark.parametrize("text, ms", [
    ("2026-01-08T20:19:38+00:00", 1767903578000), ("2026-01-08T20:19:38Z", 1767903578000), ("2026-01-08 20:19:38", 1767903578000),
    ("2026-01-08T22:19:38+0200", 1767903578000), ("2026-01-08T20:19:38.500Z", 1767903578500)])
def test_all_forms_of_time(text, ms):
    assert read_entry(NEW | {"created_at": text}).at == read_entry(OLD | {"timestamp": text}).at == ms


def test_one_file_is_one_whatever_is_said_of_it():
    again = NEW | {"created_at": "2027-01-01T00:00:00Z", "source_url": "https://dropbox.com/scl/fo/a/b?dl=0&rlkey=k"}
    assert read_entry(again).key == read_entry(NEW).key == read_entry({"url": NEW["source_url"]}).key
    assert read_entry(OLD).key != read_entry(NEW).key
    long = read_entry({"url": "https://a.example/" + "x" * 1000}).key
    assert len(long) == 71


@pytest.mark.parametrize("value, why", [
    ([], "not an object"), ({}, "neither"), ({"url": ""}, "neither"), ({"url": 7}, "url: not a string"), ({"source_url": "ftp://a/b"}, "source_url: "),
    (NEW | {"r2_url": "javascript:x"}, "r2_url: "), (NEW | {"created_at": "yesterday"}, "created_at: not a time"), (NEW | {"created_at": 12}, "created_at: not a string"),
    (NEW | {"original_filename": ["x"]}, "original_filename: not a string"), (NEW | {"original_filename": "x" * 2000}, "original_filename: longer")])
def test_a_broken_entry_says_why(value, why):
    with pytest.raises(ValueError, match=why):
        read_entry(value)


def test_ones_own_classes():
    assert read_entry({"url": "https://files.example.com/a"}, {"example.com": "dropbox"}).kind == "dropbox"
