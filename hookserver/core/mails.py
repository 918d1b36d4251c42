"""Mails about events and notices, as text ready to be sent.

Source: RFC 5322 (form), RFC 2047 (words that are not ASCII), RFC 3834 (``Auto-Submitted``, so that nothing answers).

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from hookserver.core.messages import Message, one_line, plain

LONGEST_SUBJECT = 200       # characters
LONGEST_TEXT = 64 * 1024


def address(mailbox: str) -> str:
    """``Hooks <hooks@example.com>`` -> ``hooks@example.com``."""
    return mailbox.rpartition(" <")[2].removesuffix(">")


def mail(*, sender: str, to: Sequence[str], subject: str, text: str, task: str, at_ms: int) -> bytes:
    """The mail with CR LF line ends. ``task`` becomes its Message-ID: a mail sent twice is the same mail.

    Nothing in ``subject`` and ``text`` can add a header: they lose their breaks and controls, or become the body. Nor may a
    subject hold an encoded word: the email package would decode it, and write out the breaks that it finds there.
    """
    found = EmailMessage(policy=SMTP)
    found["From"] = _mailbox(sender)
    found["To"] = [_mailbox(mailbox) for mailbox in to]
    found["Subject"] = one_line(_encodable(subject), LONGEST_SUBJECT).replace("=?", "= ?") or "(no subject)"
    found["Date"] = format_datetime(datetime.fromtimestamp(at_ms // 1000, timezone.utc))
    found["Message-ID"] = f"<{task}@{address(sender).rpartition('@')[2]}>"
    found["Auto-Submitted"] = "auto-generated"
    text = plain(_encodable(text))
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT] + "\n…\n"
    found.set_content(text if text.endswith("\n") else text + "\n", cte="quoted-printable")
    return found.as_bytes()


def subject_of(message: Message) -> str:
    """The subject when no template is given."""
    return f"[hookserver] {message.title}"


def text_of(message: Message) -> str:
    """The text when no template is given."""
    facts = [f"{name}: {value}" for name, value in message.facts]
    return "\n".join([message.text or message.title, "", *facts, *([""] if facts else []), message.origin, ""])


def _mailbox(text: str) -> Address:
    """A name with a comma or a bracket is quoted by this."""
    return Address(display_name=text.rpartition(" <")[0], addr_spec=address(text))


def _encodable(text: str) -> str:
    """Lone surrogates have no bytes."""
    return text.encode("utf-8", "replace").decode()
