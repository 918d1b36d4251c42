"""Patterns find what Python's ``re`` finds, refuse what they do not know, and never go back over a text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.core.patterns import LONGEST, MAX_POSITIONS, REMEMBERED, Pattern

ONE = st.sampled_from(["a", "b", "c", ".", r"\.", "[ab]", "[^a]", "[a-c]", r"\d", r"\W", "(?:)", r"[\w.]", r"\n", r"\x61", r"[]a]", "[a-]"])


def repeated(parts):
    return st.builds(lambda part, sign: f"(?:{part}){sign}", parts, st.sampled_from(["", "*", "+", "?", "{2}", "{0,2}", "{1,}", "*?"]))


PATTERNS = st.recursive(ONE, lambda inner: repeated(inner) | st.lists(inner, min_size=1, max_size=3).map("".join) |
                        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"), max_leaves=8)
ENDS = st.builds(lambda begin, middle, end: begin + middle + end, st.sampled_from(["", "^"]), PATTERNS, st.sampled_from(["", "$"]))


@settings(max_examples=400)
@given(ENDS, st.lists(st.text("abc.1\n-] é", max_size=8), min_size=1, max_size=4))
def test_it_finds_what_re_finds(pattern, texts):
    # re's $ also matches before a last LF; \Z is what ours means.
    reference = re.compile(re.sub(r"\$\Z", r"\\Z", pattern), re.ASCII)
    ours = Pattern(pattern)
    for text in texts:
        assert ours.search(text) is bool(reference.search(text)), (pattern, text)


@pytest.mark.parametrize("pattern,text,found", [
    ("", "", True), ("", "x", True), ("^$", "", True), ("^$", "x", False), ("$", "x", True), ("(^|,)x(,|$)", "a,x", True),
    ("(^|,)x(,|$)", "ax,", False), ("(?i)^PuSH$", "pUsh", True), ("(?i)[a-z]é", "QÉ", True), ("^a.c$", "a\nc", False), ("a\\$", "a$", True),
    ("^refs/heads/(main|release-.*)$", "refs/heads/release-9", True), ("\\u0436", "ж", True), ("[^ж]", "ж", False), ("a$", "a\n", False),
    ("[a\\]]+]", "a]]", True), ("\\(x\\)", "(x)", True),
])
def test_examples(pattern, text, found):
    assert Pattern(pattern).search(text) is found


@pytest.mark.parametrize("pattern,part", [
    ("(a", "no )"), ("a)", "no ("), ("[a", "no ]"), ("*a", "nothing to repeat"), ("^*", "nothing to repeat"), ("a**", "two repeats"),
    ("a++", "two repeats"), ("a{2", "no repeat"), ("a{3,2}", "before it begins"), ("{", "nothing to repeat"), ("(?=a)", "only (?:"),
    ("(?P<n>a)", "only (?:"), ("a(?i)", "only (?:"), (r"\b", "not known"), (r"(a)\1", "not known"), ("a\\", "not known"),
    (r"\x4", "hexadecimal"), ("[b-a]", "range"), (r"[\d-z]", "range"), ("(" * 21 + ")" * 21, "deep"), ("a" * 501, "longer"),
    ("(a{100}){3}", "counted"), ("((){999}){999}", "counted"), ("([ab]{2}){999}", "counted"),
])
def test_what_is_not_taken(pattern, part):
    with pytest.raises(ValueError, match=re.escape(part)):
        Pattern(pattern)


@given(st.text("ab(){}[]|*+?^$\\.,-1:<ix", max_size=20))
def test_any_text_is_a_pattern_or_a_value_error(text):
    try:
        pattern = Pattern(text)
    except ValueError:
        return
    assert pattern.search("ab") in (True, False)


def test_each_character_is_one_step_whatever_the_pattern():
    """The number of steps is counted: no text makes the machine go back."""
    pattern = Pattern("((a+)+|(a|b)*a(a|b|.){50})+$")
    steps = []
    step = pattern._step
    pattern._step = lambda reached, char: steps.append(char) or step(reached, char)
    assert not pattern.search("a" * (LONGEST - 1) + "\n")
    assert len(steps) <= LONGEST + 1
    assert len(pattern._steps) <= REMEMBERED


def test_what_is_remembered_stays_bounded():
    pattern = Pattern(f"(a|.){{{MAX_POSITIONS // 2 - 1}}}\n")
    for start in range(0, 20_000, 1000):
        assert not pattern.search("".join(chr(32 + start + place) for place in range(1000)))
        assert len(pattern._steps) <= REMEMBERED and len(pattern._takers) <= REMEMBERED


def test_a_text_that_is_too_long_has_no_end():
    assert Pattern("a$").search("a" * LONGEST) and not Pattern("a$").search("a" * (LONGEST + 1))
    assert Pattern("^a").search("a" * 10 * LONGEST) and not Pattern("b").search("a" * LONGEST + "b")
