"""Messages for Discord and Slack: what is sent, and what their answers mean.

Sources: Discord's API documentation, resources/webhook and topics/rate-limits (discord/discord-api-docs); Slack's documentation of
incoming webhooks and of rate limits, and its list of webhook errors (api.slack.com/changelog/2016-05-17).

Values from outside are escaped, the words of a template are not: who writes ``*bold*`` into conf.yaml means it. Nobody is
mentioned and no link is unfolded because of a value.

Pure.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

import msgspec

from hookserver.core.messages import Message, plain
from hookserver.core.tasks import NOTE, Outcome

NO_MENTIONS = {"parse": []}
SUPPRESS_EMBEDS = 4             # a flag of Discord's messages
DISCORD_MOST, SLACK_MOST = 2000, 4000   # characters; Discord's is a limit, above Slack's a message is cut in parts
DEAD = (404, 410)               # the webhook or its channel is no more
REFUSED = (401, 403)            # a token that is wrong stays wrong, and Discord shuts out who goes on trying
LONGEST_WAIT = 86_400.0         # seconds

_MARKDOWN = re.compile(r"[\\*_~`|<>\[\]()#-]")
_URL = re.compile(r"(https?://[A-Za-z0-9._~:/?#@!$&'*+,;=%-]+)")
_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Chat(msgspec.Struct, frozen=True):
    """One service. ``escape``: for values; ``bold``: for a title that has been escaped; ``body``: the JSON for a text and a
    name to post under; ``understand``: an outcome of HTTP in the light of what the service says in it.
    """

    most: int
    escape: Callable[[str], str]
    bold: Callable[[str], str]
    body: Callable[[str, str | None], dict]
    understand: Callable[[Outcome], Outcome]

    def text(self, message: Message) -> str:
        """A message of ours, in the service's mark-up. What would make it too long is left out."""
        last = self.escape(message.origin)
        room = self.most - _units(last) - 2
        lines = []
        facts = (f"{self.escape(name)}: {self.escape(value)}" for name, value in message.facts)
        for line in (self.bold(self.escape(message.title)), *([self.escape(message.text)] if message.text else []), *facts):
            room -= _units(line) + 1
            if room < 0:
                lines.append("…")
                break
            lines.append(line)
        return "\n".join([*lines, last])

    def fitted(self, text: str) -> str:
        """``text`` without control characters, cut to what the service takes."""
        text = plain(text).strip()
        if _units(text) <= self.most:
            return text
        return text.encode("utf-16-le", "replace")[:2 * (self.most - 1)].decode("utf-16-le", "ignore") + "…"


def _units(text: str) -> int:
    """Length in UTF-16, which is never less than any other way to count characters."""
    return len(text) + sum(character > "\uffff" for character in text)


def _escape_discord(text: str) -> str:
    """With a backslash before everything that could be mark-up; URLs as they are, because they would no longer work."""
    parts = _URL.split(text)
    return "".join(part if place % 2 else _MARKDOWN.sub(r"\\\g<0>", part) for place, part in enumerate(parts))


def _discord_body(text: str, username: str | None) -> dict:
    body = {"content": text, "allowed_mentions": NO_MENTIONS, "flags": SUPPRESS_EMBEDS}
    return body | {"username": username} if username else body


def _slack_body(text: str, username: str | None) -> dict:
    body = {"text": text, "unfurl_links": False, "unfurl_media": False}
    return body | {"username": username} if username else body


def _discord(outcome: Outcome) -> Outcome:
    told = _object(outcome.excerpt)
    wait = outcome.retry_after
    if outcome.status == 429:
        said = (_seconds(told.get("retry_after")), _seconds(outcome.headers.get("x-ratelimit-reset-after")), wait)
        wait = max((seconds for seconds in said if seconds is not None), default=None)
    elif outcome.ok and outcome.headers.get("x-ratelimit-remaining") == "0":
        wait = _seconds(outcome.headers.get("x-ratelimit-reset-after"))
    words = told.get("message")
    return _understood(outcome, words if isinstance(words, str) else "", wait)


def _slack(outcome: Outcome) -> Outcome:
    return _understood(outcome, outcome.excerpt[:200].decode("utf-8", "replace"), outcome.retry_after)


def _understood(outcome: Outcome, words: str, wait: float | None) -> Outcome:
    if outcome.cause != "status" and not outcome.ok:
        return outcome
    note = outcome.note
    if not outcome.ok and words:
        note = f"{note}: {plain(words)}"[:NOTE]
    return msgspec.structs.replace(
        outcome, note=note, retry_after=wait, gone=outcome.status in DEAD, final=outcome.final or outcome.status in (*DEAD, *REFUSED))


def _object(text: bytes) -> dict:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(value: object) -> float | None:
    """Seconds that Discord writes as a number or, in a header, as text; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", value, re.ASCII):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        return None
    return float(min(value, LONGEST_WAIT))


CHATS = {
    "discord": Chat(DISCORD_MOST, _escape_discord, lambda text: f"**{text}**", _discord_body, _discord),
    "slack": Chat(SLACK_MOST, lambda text: text.translate(_SLACK), lambda text: f"*{text}*", _slack_body, _slack),
}
