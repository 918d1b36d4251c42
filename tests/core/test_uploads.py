"""Forms with one file, cut into any pieces."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from hookserver.core.uploads import MAX_FIELD, BadUpload, UploadReader, form_around, shown_name

BOUNDARY = "----b0und4ry"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def read(body: bytes, step: int = 1 << 20, content_type: str = FORM) -> tuple[UploadReader, bytes]:
    """The reader at the end, and the file."""
    reader = UploadReader(content_type)
    file = b"".join(piece for at in range(0, len(body), step) for piece in reader.feed(body[at:at + step]))
    reader.end()
    return reader, file


@settings(max_examples=40, deadline=None)
@given(content=st.lists(st.sampled_from([b"\r", b"\n", b"-", b"\r\n--", BOUNDARY.encode()[:-1], b"x", b"\0\xff"]), max_size=12).map(b"".join),
       step=st.integers(1, 40), title=st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
def test_what_is_written_is_read_again_however_it_is_cut(content, step, title):
    form = form_around({"title": title}, "a \"b\".mp3", "audio/mpeg", BOUNDARY)
    reader, file = read(form.before + content + form.after, step, form.content_type)
    assert (file, reader.size, reader.filename, reader.fields) == (content, len(content), 'a "b".mp3', {"title": title})
    assert reader.complete and reader.content_type == "audio/mpeg"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([b"--" + BOUNDARY.encode(), b"\r\n", b"\n", b"--", b"Content-Disposition: form-data; name=\"file\"; filename=\"x\"",
                                 b"content-length: 9", b": ", b"\xff", b"Content-Disposition: form-data; filename*=utf-8''%ff", b" "]), max_size=14).map(b"".join))
def test_junk_is_an_upload_that_is_bad_and_nothing_worse(body):
    try:
        read(body, 7)
    except BadUpload as bad:
        assert str(bad)


@pytest.mark.parametrize("change, why", [
    (lambda before, after: before, "cut off"),
    (lambda before, after: before + after.replace(b"--\r\n", b"\r\n"), "cut off"),
    (lambda before, after: f"--{BOUNDARY}--\r\n".encode(), "no file"),
    (lambda before, after: before + b"x\r\n" + before + after, "more than one file"),
    (lambda before, after: before.replace(b'filename="a.mp3"', b"x=y").replace(b"file", b"f" * 9) + b"v" * (MAX_FIELD + 1) + after, "longer than"),
    (lambda before, after: before.replace(b"Content-Disposition", b"Content-Position") + after, "malformed"),
    (lambda before, after: before.replace(b"Content-Type", b"X" * 9000) + after, "malformed"),
])
def test_why_a_form_is_not_taken(change, why):
    form = form_around({}, "a.mp3", "audio/mpeg", BOUNDARY)
    with pytest.raises(BadUpload, match=why):
        read(change(form.before, form.after), 100)


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data", "multipart/form-data; boundary=\"a\nb\"", "multipart/mixed; boundary=x"])
def test_a_content_type_without_a_usable_boundary(content_type):
    with pytest.raises(BadUpload):
        UploadReader(content_type)


@pytest.mark.parametrize("name, shown", [
    ("../../etc/passwd", "passwd"), ("C:\\music\\a.wav", "a.wav"), ("a\0b\r\n\u202egpj.mp3", "abgpj.mp3"), ("", "unnamed"), ("dir/", "unnamed"),
    ("x" * 999, "x" * 255), ("\ud800é", "é")])
def test_a_name_is_shown_without_what_misleads(name, shown):
    assert shown_name(name) == shown
