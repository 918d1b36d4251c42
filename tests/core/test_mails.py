"""Mails as text: whatever an event holds, the headers are ours."""

from __future__ import annotations

import email
import email.policy

from hypothesis import given
from hypothesis import strategies as st

from hookserver.core.mails import address, mail

HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding", "MIME-Version"]
NASTY = st.lists(st.sampled_from(["=?utf-8?q?=0D=0ABcc:?=", "=?", "?=", "=?utf-8?b?DQpCY2M6IHg=?=", "\r", "\n", "\r\n", ".", "Bcc: x@y", "\ud800", "ü", "\x85", "\u2028",
                                 "\x0b", "\x0c", "\x1c", " ", "\t", "x" * 80, "=0D=0A", "\U0001f600", "<", ">", "@", ",", ";", '"', "(", "\\"]) | st.text(max_size=5), max_size=12).map("".join)


@given(NASTY, NASTY)
def test_the_headers_are_ours_and_the_text_arrives(subject, text):
    made = mail(sender="Hooks <hooks@example.com>", to=["a@example.com"], subject=subject, text=text, task="tsk_k_1_0", at_ms=0)
    head, _, body = made.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert [line.split(b":")[0].decode() for line in lines if not line.startswith((b" ", b"\t"))] == HEADERS
    assert all(len(line) <= 998 for line in made.split(b"\r\n")) and b"\n" not in made.replace(b"\r\n", b"") and b"\r" not in made.replace(b"\r\n", b"")
    read = email.message_from_bytes(made, policy=email.policy.default)
    assert not read.defects and "\n" not in read["Subject"] and "\r" not in read["Subject"] and read["Bcc"] is None
    assert read["To"] == "a@example.com"


def test_mailboxes():
    assert address("a@b.c") == address("Ada, C <a@b.c>") == "a@b.c"
    made = mail(sender="a@b.c", to=["Ada, Countess <a@b.c>", "Ü <d@e.f>"], subject="", text="", task="t", at_ms=1_795_348_800_000).decode()
    assert '\r\nTo: "Ada, Countess" <a@b.c>, =?utf-8?q?=C3=9C?= <d@e.f>\r\n' in made and "\r\nSubject: (no subject)\r\n" in made
