"""Messages to a channel of Discord or Slack, through the webhook that the service gives out for it.

Their words and limits are in ``core/chats.py``.
"""

from __future__ import annotations

import json
from urllib.parse import unquote

from hookserver import __version__
from hookserver.config.model import ChatDestination
from hookserver.core.chats import CHATS
from hookserver.core.guard import parse_url
from hookserver.core.messages import is_ours, message
from hookserver.core.records import BadLine
from hookserver.core.tasks import Outcome
from hookserver.core.templates import Template, Values, compile_template
from hookserver.tasks.client import Client, Request
from hookserver.tasks.work import Work

HEADERS = {"Content-Type": "application/json", "User-Agent": f"hookserver/{__version__}"}   # Discord wants to know who it is
SECRET_PART = 12    # characters: a part of the URL's path from which on it may be a token


class ChatPerformer:
    """Makes the attempts of one destination. An event is told by the destination's template, what we say ourselves by our words."""

    def __init__(self, destination: ChatDestination, client: Client):
        """Raises ValueError for a URL or a template that the configuration should have refused."""
        self._to, self._client = destination, client
        self._chat = CHATS[destination.type]
        self._target = parse_url(destination.url)
        self._template: Template | None = None if destination.text is None else compile_template(destination.text)
        path, _, query = self._target.path.partition("?")
        parts = [part for part in path.split("/") if len(part) >= SECRET_PART]
        self._hide = (self._target.path, path, *parts, *map(unquote, parts), *([query] if query else []))

    async def perform(self, work: Work) -> Outcome:
        try:
            text = self._text(work)
        except BadLine as problem:
            return Outcome(False, "template", f"the record cannot be read: {problem}", final=True)
        if not text:
            return Outcome(False, "template", "the message would be empty", final=True)
        body = json.dumps(self._chat.body(text, self._to.username)).encode()
        outcome = await self._client.send(Request(
            target=self._target, headers=HEADERS, body=body, timeout=work.timeout, at_ms=work.at_ms, hide=self._hide))
        return self._chat.understand(outcome)

    async def close(self) -> None:
        """Nothing is kept between attempts."""

    def _text(self, work: Work) -> str:
        """Raises BadLine."""
        values = Values(work.line, work.task, work.number)
        if self._template is None or is_ours(values):
            return self._chat.text(message(values))
        return self._chat.fitted(self._template.render(values, self._chat.escape))
