"""Strict JSON: the same values as the standard decoder, and every kind of odd text refused with its place."""

import json
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hookserver.core.jsonstrict import BadJSON, parse

ACCEPTED = [
    b"{}", b"[]", b"null", b"true", b"0", b"-0", b"1.5e10", b'""', b" \t\r\n{ } \n", b'{"a":{"b":[1,2,{"c":null}]}}',
    b'{"":1}', b'{"a":1,"A":2}', '"é😀"'.encode(), b'"\\u0000"', b'"\\ud83d\\ude00"', b'"\\\\ud800"', b'"\\\\\\ud83d\\uDE00"',
    b"9223372036854775808", b"-" + b"9" * 4000, b"1" * 4000, b"1.7976931348623157e308", b"1e-999", b"[1,2.5,\"[[[[\"]",
    b"[" * 100 + b"]" * 100, b'{"a":' * 100 + b"1" + b"}" * 100, b"[" + b"[]," * 500 + b"[]]",
    b'"' + b"[" * 5000 + b'"', b'["' + b'\\"[{' * 300 + b'"]', '"\u2028\u2029\x7f"'.encode(), b'{"a":[],"b":{"a":1}}',
]

REFUSED = [
    # (text, part of the reason, line, column)
    (b"", "value is expected", 1, 1), (b" ", "value is expected", 1, 2), (b"{", "key in double quotes", 1, 2),
    (b"[1,]", "value is expected", 1, 4), (b'{"a":1,}', "key in double quotes", 1, 8), (b"nul", "value is expected", 1, 1),
    (b"{'a':1}", "key in double quotes", 1, 2), (b"{a:1}", "key in double quotes", 1, 2), (b'{"a" 1}', "colon", 1, 6),
    (b"[1 2]", "comma", 1, 4), (b"1 2", "something follows", 1, 3), (b"{}{}", "something follows", 1, 3),
    (b"01", "something follows", 1, 2), (b"1.", "something follows", 1, 2), (b".5", "value is expected", 1, 1),
    (b"+1", "value is expected", 1, 1), (b"-", "value is expected", 1, 1), (b"0x10", "something follows", 1, 2),
    (b"[1,\n 2,\n  x]", "value is expected", 3, 3), (b"// c\n1", "value is expected", 1, 1),
    (b'"a', "string without end", 1, 1), (b'"a\nb"', "control character", 1, 3), (b'"a\0b"', "control character", 1, 3),
    (b'"\\q"', "unknown escape", 1, 2), (b'"\\u12"', "unfinished escape", 1, 3), (b'"\\u00g0"', "unfinished escape", 1, 3),
    (b"\xef\xbb\xbf{}", "byte order mark", 1, 1), (b'{"a":"\xff"}', "not UTF-8", 1, 7), (b'"\xc0\x80"', "not UTF-8", 1, 2),
    (b'"\xed\xa0\x80"', "not UTF-8", 1, 2), ("é\n\"é".encode() + b"\xf5", "not UTF-8", 2, 3), (b"\x00", "value is expected", 1, 1),
    ("[1]".encode("utf-16"), "not UTF-8", 1, 1), ("[1]".encode("utf-16-le"), "value is expected", 1, 2),
    (b"NaN", "NaN and Infinity", 1, 1), (b'["NaN",\n -Infinity]', "NaN and Infinity", 2, 2), (b"[Infinity]", "NaN and Infinity", 1, 2),
    (b"1e999", "too large for a double", 1, 1), (b'{"1e999": -1e400}', "too large for a double", 1, 11),
    (b"1" * 4001, "more than 4000 digits", 1, 1), (b"[-" + b"1" * 100_000 + b"]", "more than 4000 digits", 1, 2),
    (b'{"a":1,"a":2}', "twice", 1, 8), (b'{"a":1,\n"\\u0061":2}', "twice", 2, 1), (b'[{"b":{"x":1,"x":1}}]', "twice", 1, 14),
    (b'{"a":{"a":1},"b":["b"],"a":0}', "twice", 1, 24),
    (b'"\\ud800"', "surrogate", 1, 2), (b'"\\udc00"', "surrogate", 1, 2), (b'"\\ud800x\\udc00"', "surrogate", 1, 2),
    (b'"\\ud800\\ud800\\udc00"', "surrogate", 1, 2), (b'{"\\uDFFF":1}', "surrogate", 1, 3), (b'"\\ud800\\n"', "surrogate", 1, 2),
    (b"[" * 101 + b"]" * 101, "100 levels", 1, 101), (b"[" * 100_000, "100 levels", 1, 101),
    (b'{"a":' * 200_000, "100 levels", 1, 501), (b'["]"' + b",[" * 100 + b"]" * 101, "100 levels", 1, 204),
    (b"[" * 60, "value is expected", 1, 61), (b"]" * 200, "value is expected", 1, 1), (b"[}" * 200, "value is expected", 1, 2),
    (b'"' + b'\\"' * 100_000, "string without end", 1, 1), (b"[[" * 55 + b'"', "100 levels", 1, 101),
]


@pytest.mark.parametrize("body", ACCEPTED, ids=range(len(ACCEPTED)))
def test_accepted_texts_have_the_usual_value(body):
    assert parse(body) == json.loads(body)


@pytest.mark.parametrize("body,reason,line,column", REFUSED, ids=range(len(REFUSED)))
def test_refused_texts_name_reason_and_place(body, reason, line, column):
    with pytest.raises(BadJSON) as caught:
        parse(body)
    error = caught.value
    assert reason in error.reason
    assert (error.line, error.column) == (line, column)
    before = body[:error.offset]
    assert before.count(b"\n") + 1 == line


def test_big_integers_keep_their_value():
    assert parse(b"18446744073709551617") == 2**64 + 1


def test_depth_can_be_chosen():
    assert parse(b"[[1]]", max_depth=2) == [[1]]
    with pytest.raises(BadJSON, match="1 levels"):
        parse(b"[[1]]", max_depth=1)


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
                      lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20)


@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_every_value_comes_back(value, ascii_only, indent):
    try:
        body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    except UnicodeEncodeError:
        return
    assert parse(body) == value


PIECES = st.sampled_from([b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b'"a"', b"\\u", b"d800", b"dc00", b"1", b"-", b"e9",
                          b"0", b".", b"true", b"null", b"NaN", b" ", b"\n", b"\xc3", b"\xa9", b"\0", b"\xef\xbb\xbf"])


@settings(max_examples=500)
@given(st.binary(max_size=30) | st.lists(PIECES, max_size=30).map(b"".join))
@example(b"[" * 990)
def test_any_bytes_are_a_value_or_bad_json(body):
    try:
        value = parse(body)
    except BadJSON as error:
        assert error.line >= 1 and error.column >= 1 and 0 <= error.offset <= len(body)
    else:
        assert value == json.loads(body)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def test_constants_are_found_by_the_standard_decoder_only():
    assert math.isnan(json.loads(b"NaN"))  # what this module is for
