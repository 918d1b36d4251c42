import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.core.listing import read_entry, split_list

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


values = st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


@settings(max_examples=40, deadline=None)
@given(st.lists(values, max_size=6), st.sampled_from([None, 1]))
def test_a_list_is_split_where_json_splits_it(entries, indent):
    text = json.dumps(entries, indent=indent).encode()
    assert [json.loads(entry) for entry in split_list(text)] == entries
    for cut in range(0, len(text) - 1, 3):      # one that was cut off is none
        with pytest.raises(ValueError):
            split_list(text[:cut])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60) | st.text('[]{},"\\ \n1a', max_size=60).map(str.encode))
def test_splitting_raises_nothing_else(body):
    try:
        assert all(type(entry) is bytes for entry in split_list(body))
    except ValueError:
        pass


@pytest.mark.parametrize("body", [b'["' + b'\\"' * 20_000, b"[" * 50_000, b'["' * 20_000, b"[" + b"," * 50_000, b'[' + b'"\\' * 20_000])
def test_splitting_takes_no_longer_than_the_text_is_long(body):
    with pytest.raises(ValueError):
        split_list(body)
