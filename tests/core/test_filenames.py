import pytest
from hypothesis import given, settings, strategies as st

from hookserver.core.filenames import MAX_BYTES, disposition_name, numbered, safe_name


@pytest.mark.parametrize("name", ["61 Camille.zip", "Été à Paris (final).mp4", "a.tar.gz", "…", "файл.zip", "写真.jpg", "a'b & c.zip", "100%.zip"])
def test_a_safe_name_is_kept_to_the_letter(name):
    assert safe_name(name) == name


@pytest.mark.parametrize("given_, wanted", [
    ("../../etc/passwd", "passwd"), ("/etc/x", "x"), ("..\\x", "x"), ("", "download"), (".", "download"), ("..", "download"), ("a\0b", "a_b"),
    ("-rf", "_-rf"), (".bashrc", "_.bashrc"), ("CON.txt", "_CON.txt"), ("nul", "_nul"), ("a\nb.zip", "a_b.zip"), ("x. . ", "x"), ("a\u202egpj.exe", "a_gpj.exe"),
    ("a:b", "a_b"), ("\ud800.zip", "_.zip"), ("a/", "download"), ("~root", "_~root"),
])
def test_what_is_not_safe_is_made_so(given_, wanted):
    assert safe_name(given_) == wanted


def test_a_long_name_keeps_its_suffix():
    name = safe_name("é" * 300 + ".tar.gz")
    assert name.endswith("é.tar.gz") and MAX_BYTES - 2 < len(name.encode()) <= MAX_BYTES
    second = numbered(name, 2)
    assert second.endswith(" (2).tar.gz") and len(second.encode()) <= MAX_BYTES


def test_two_of_one_name():
    assert numbered("61 Camille.zip", 2) == "61 Camille (2).zip"
    assert numbered("README", 3) == "README (3)"


@settings(max_examples=200)
@given(st.text(st.characters(), max_size=400))
def test_no_name_is_a_path_or_too_long(text):
    name = safe_name(text)
    assert name and "/" not in name and "\\" not in name and "\0" not in name and name not in (".", "..")
    assert len(name.encode()) <= MAX_BYTES and not name.startswith(("-", ".")) and safe_name(name) == name


@pytest.mark.parametrize("header, wanted", [
    ('attachment; filename="61 Camille.zip"', "61 Camille.zip"),
    ("attachment; filename=plain.zip", "plain.zip"),
    ("ATTACHMENT; FileName*=UTF-8''%C3%A9t%C3%A9.zip; filename=ete.zip", "été.zip"),
    ('attachment; filename="ete.zip"; filename*=utf-8\'fr\'%C3%A9t%C3%A9.zip', "été.zip"),
    ('attachment; filename="a\\"b.zip"', 'a_b.zip'),
    ('attachment; filename="%41.zip"', "%41.zip"),
    ('attachment; filename="\xc3\xa9.zip"', "é.zip"),
    ('attachment; filename="../../x"', "x"),
    ('attachment; filename="a;b.zip"', "a;b.zip"),
    ("attachment", None), ("", None), ("attachment; name=x", None), ('attachment; filename=""', None), ("attachment; filename*=utf-7''x", None),
])
def test_names_in_a_disposition(header, wanted):
    assert disposition_name(header) == wanted
