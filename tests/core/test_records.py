"""The line format: whatever a sender sends comes back byte for byte, and every line is one line."""

import json
import shutil
import subprocess
from datetime import datetime, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hookserver.core import records
from hookserver.core.records import BadLine, Draft, check_line, decode, event_draft, iso_ms, raw_body

AT = 1_795_319_138_799  # 2026-11-22T03:45:38.799Z

TABLE = [
    b"", b" ", b"\n", b"null", b"plain text", b"a=1&b=%20\r\n", b"<x>\n\t<y/></x>\r\n", b"\x00", b"\xff\xfe\x00\n",
    b"\xef\xbb\xbf{}", b'{"a":1}', b' { "a" :\t1 } ', b'{\r\n  "a": 1\r\n}\r\n', b'{\n\t"a": [\n\t\t1,\n\t\t"x  y"\n\t]\n}\n',
    b'{"a":"\\n\\t\\u0000\\u2028"}', '{"a":"é\u2028 ☃ 😀"}'.encode(), b"[]", b"0", b'"x"', b"12345678901234567890123",
    b"[1.0, 1e5, -0, 1E+2]", b'{"crc":"00000000"}', b',"crc":"00000000"}', b"[" * 100 + b"]" * 100, b"1" * 4000,
    b'{"size":1,"raw":"no","lf":"no","payload":2}',
]


def strict(text):
    def refuse(word):
        raise ValueError(word)
    return json.loads(text.decode("utf-8", "strict"), parse_constant=refuse)


def draft(body=b"{}", is_json=True, **changes):
    known = dict(source="calls", provider="agora", type="rtc.x", method="POST", path="/demo/webhooks",
                 client="192.0.2.1", headers=[("Content-Type", "application/json")], body=body, is_json=is_json)
    return event_draft(**{**known, **changes})


def is_json(body):
    try:
        strict(body)
    except (ValueError, RecursionError):
        return False
    return not body.startswith(b"\xef\xbb\xbf")


def check_form(line, seq=7, batch=5):
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert check_line(line) == check_line(line[:-1]) == (seq, batch)
    value = strict(line)
    names = list(value)
    assert names[:5] == ["seq", "batch", "at", "kind", "id"]
    assert names[-2:] == ["payload", "crc"]
    assert (value["seq"], value["batch"], value["id"]) == (seq, batch, f"evt_st_{seq}")
    return value


@pytest.mark.parametrize("body", TABLE, ids=range(len(TABLE)))
def test_table_of_bodies(body):
    line = draft(body, is_json(body)).line(7, 5, AT, "st")
    value = check_form(line)
    assert raw_body(line) == raw_body(line[:-1]) == body
    assert value["size"] == len(body)
    assert value["payload"] == (strict(body) if is_json(body) else None)
    assert decode(line).payload is not None


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_come_back(body):
    line = draft(body, is_json=False).line(7, 5, AT, "st")
    assert check_form(line)["payload"] is None
    assert raw_body(line) == body


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
                      | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
                      lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
                          st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=4), max_leaves=12)
GAPS = st.text(" \t\r\n", max_size=4)


@given(VALUES, st.booleans(), GAPS, GAPS, GAPS, st.sampled_from([None, 0, 2, "\t", " \t"]))
@example({"a": [1]}, True, "", "\n", "\t\n", "\t")
def test_any_json_with_any_spacing_comes_back(value, ascii_only, before, after, between, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=("," + between, between + ":"))
    body = (before + text + after).encode()
    line = draft(body).line(7, 5, AT, "st")
    assert check_form(line)["payload"] == strict(body)
    assert raw_body(line) == body


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_jq_reads_every_line():
    lines = b"".join(draft(body, is_json(body)).line(seq, 1, AT, "st") for seq, body in enumerate(TABLE, 1)
                     if body != b"1" * 4000)
    done = subprocess.run(["jq", "-c", ".seq"], input=lines, capture_output=True, check=True)
    assert len(done.stdout.split()) == len(TABLE) - 1


TEXT = st.text(max_size=20)  # lone surrogates included


@given(TEXT, TEXT, st.none() | TEXT, TEXT, st.lists(st.tuples(TEXT, TEXT), max_size=5), st.dictionaries(TEXT, TEXT, max_size=3))
def test_odd_text_in_the_head_never_breaks_the_line(path, kind, key, client, headers, checks):
    line = draft(path=path, type=kind, key=key, client=client, headers=headers, checks=checks).line(7, 5, AT, "st")
    check_form(line)
    record = decode(line)
    assert isinstance(record.headers, dict) and isinstance(record.checks, dict)


def test_the_line_as_documented():
    line = draft(b'{"a":1}', app="demo", key='["demo",1]', checks={"signature": "ok"}, to=["ci"]).line(7, 5, AT, "k3f9q2")
    assert line.startswith(
        b'{"seq":7,"batch":5,"at":"2026-11-22T03:45:38.799Z","kind":"event.received","id":"evt_k3f9q2_7",'
        b'"source":"calls","provider":"agora","type":"rtc.x","key":"[\\"demo\\",1]","app":"demo","method":"POST",'
        b'"path":"/demo/webhooks","client":"192.0.2.1","headers":{"Content-Type":"application/json"},'
        b'"checks":{"signature":"ok"},"to":["ci"],"size":7,"payload":{"a":1},"crc":"')


def test_the_line_of_a_job():
    line = draft(b'{"a":1}', job="5017d3f0-0000-4000-8000-000000000000").line(7, 5, AT, "k3f9q2")
    assert b'"key":null,"app":null,"job":"5017d3f0-0000-4000-8000-000000000000","method":"POST"' in line
    assert decode(line).job == "5017d3f0-0000-4000-8000-000000000000"


def test_decode_gives_typed_fields():
    record = decode(draft(b'{"a":1}', app="demo", key=None).line(7, 5, AT, "st"))
    assert (record.seq, record.batch, record.kind, record.app, record.key) == (7, 5, "event.received", "demo", None)
    assert record.at == datetime(2026, 11, 22, 3, 45, 38, 799000, tzinfo=timezone.utc) and record.at_ms == AT
    assert bytes(record.payload) == b'{"a":1}'
    assert record.headers == {"Content-Type": "application/json"}


def test_another_kind_needs_no_head():
    line = Draft("task.attempted", b"", b'{"n":1}').line(7, 5, AT, "st")
    check_form(line)
    assert bytes(decode(line).payload) == b'{"n":1}'


def test_repeated_headers_and_secrets():
    headers = [("X-A", "1"), ("x-a", "2"), ("X-A", "3"), ("Authorization", "Bearer s3cret"), ("cookie", "s3cret")]
    line = draft(headers=headers).line(7, 5, AT, "st")
    assert decode(line).headers == {"X-A": ["1", "2", "3"], "Authorization": "[redacted]", "cookie": "[redacted]"}
    assert b"s3cret" not in line


def test_every_flipped_bit_is_noticed():
    line = draft(b'{"a":1}').line(7, 5, AT, "st")[:-1]
    for place in range(len(line)):
        for bit in range(8):
            with pytest.raises(BadLine):
                check_line(line[:place] + bytes([line[place] ^ 1 << bit]) + line[place + 1:])


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda b: b'{"seq":7,"batch":5,"at":"' + b + b',"crc":"00000000"}'))
def test_junk_raises_only_bad_line(junk):
    for function in (check_line, decode, raw_body):
        try:
            function(junk)
        except BadLine as error:
            assert error.reason


def test_every_cut_is_noticed():
    line = draft().line(7, 5, AT, "st")
    for end in range(len(line) - 1):
        with pytest.raises(BadLine):
            check_line(line[:end])


@pytest.mark.parametrize("at_ms, text", [
    (0, "1970-01-01T00:00:00.000Z"), (AT, "2026-11-22T03:45:38.799Z"), (999, "1970-01-01T00:00:00.999Z"),
    (-5, "1970-01-01T00:00:00.995Z"), (10 ** 18, "9999-12-31T23:59:59.000Z"), (1000, "1970-01-01T00:00:01.000Z")])
def test_times(at_ms, text):
    assert iso_ms(at_ms) == iso_ms(at_ms) == text


def test_tail_is_as_long_as_documented():
    assert len(b',"crc":"9f3c2a11"}') == records.TAIL
