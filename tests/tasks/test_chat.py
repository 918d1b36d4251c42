"""Messages to Discord and Slack, against servers that answer as these do."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from hookserver.config.model import ChatDestination
from hookserver.core.retry import RetryPolicy
from hookserver.tasks.chat import ChatPerformer
from hookserver.tasks.client import Client
from hookserver.tasks.connect import Connector

from tests.tasks.chat_services import SERVICES, api
from tests.tasks.conformance import SECRET, Conformance, lawful, notice, retried, told
from tests.tasks.deliveries import work
from tests.tasks.endpoints import Endpoint, answer

TYPES = sorted(SERVICES)


def destination(type: str, url: str, **more) -> ChatDestination:
    return ChatDestination(name="team", type=type, timeout=20, retry=RetryPolicy(), url=url, **more)


class Alone(ChatPerformer):
    """With a client of its own."""

    def __init__(self, type: str, url: str):
        self.client = Client(Connector())
        super().__init__(destination(type, url), self.client)

    async def close(self) -> None:
        await self.client.close()


def tell(to: ChatDestination, *of):
    """Outcomes of attempts, one after the other."""
    async def all_of_them():
        client = Client(Connector())
        try:
            return [lawful(await ChatPerformer(to, client).perform(one)) for one in of]
        finally:
            await client.close()
    return asyncio.run(all_of_them())


class ChatConformance(Conformance):
    type = ""

    @contextlib.contextmanager
    def healthy(self, home):
        with SERVICES[self.type](SECRET) as url:
            yield Alone(self.type, url)

    @contextlib.contextmanager
    def silent(self, home):
        with Endpoint(lambda visit: visit.wait()) as endpoint:
            yield Alone(self.type, endpoint.url()), lambda: endpoint.visits > 0

    @contextlib.contextmanager
    def echo(self, home):
        def repeat(visit):
            head, body = visit.request()
            line = head.split(b"\r\n")[0].decode()
            visit.send(answer("400 Bad Request", head + body, f"X-Asked: {line}", f"Location: /{SECRET}"))
        with Endpoint(repeat) as endpoint:
            yield Alone(self.type, endpoint.url(f"/api/webhooks/1/{SECRET}?thread_id=1&key={SECRET}x"))

    def says(self, what: bytes):
        """A server that gives this answer."""
        @contextlib.contextmanager
        def how(self, home):
            with Endpoint(what) as endpoint:
                yield Alone(self.type, endpoint.url())
        return how

    @contextlib.contextmanager
    def nobody(self, home):
        with Endpoint(b"") as endpoint:
            url = endpoint.url()
        yield Alone(self.type, url)

    troubles = {
        "nobody is there": (nobody, {"connect"}, False),
        "it says nothing and goes": (says(None, b""), {"protocol", "reset"}, False),
        "it is something else": (says(None, b"SSH-2.0-OpenSSH_9\r\n"), {"protocol"}, False),
        "it is in trouble": (says(None, answer("500 Oops", b"rollup_error")), {"status"}, False),
        "it sends us elsewhere": (says(None, answer("302 Found", b"", "Location: http://127.0.0.1:1/")), {"status"}, False),
        "it does not want this": (says(None, answer("400 Bad Request", b"invalid_payload")), {"status"}, False),
        "it does not want us": (says(None, answer("403 Forbidden", b"action_prohibited")), {"status"}, True),
        "it is gone": (says(None, answer("404 Not Found", b"no_service")), {"status"}, True),
        "it answers in riddles": (says(None, api("429 Slow", [{"retry_after": "soon"}])), {"status"}, False),
    }


class TestDiscord(ChatConformance):
    type = "discord"


class TestSlack(ChatConformance):
    type = "slack"


# -- what is said ----------------------------------------------------------------------------------

EVENT = json.dumps({"channelName": "my_room*", "uid": 7, "nested": {"why": "<!channel> & @everyone"}, "empty": "", "list": [1]}).encode()


def test_a_summary_for_discord():
    with (service := SERVICES["discord"]("t")) as url:
        assert tell(destination("discord", url, username="hooks"), work(EVENT))[0].ok
    message, = service.posted
    assert message["username"] == "hooks"
    assert message["content"] == ("**calls: 101**\nchannelName: my\\_room\\*\nuid: 7\nlist: \\[1\\]\nnested.why: \\<!channel\\> & @everyone\n"
                                  "evt\\_k3f9q2\\_7 · 2026\\-11\\-22T12:00:00.000Z")


def test_a_summary_for_slack():
    with (service := SERVICES["slack"]("t")) as url:
        assert tell(destination("slack", url), work(EVENT))[0].ok
    message, = service.posted
    assert message == {"unfurl_links": False, "unfurl_media": False, "text": (
        "*calls: 101*\nchannelName: my_room*\nuid: 7\nlist: [1]\nnested.why: &lt;!channel&gt; &amp; @everyone\nevt_k3f9q2_7 · 2026-11-22T12:00:00.000Z")}


@pytest.mark.parametrize("type, said", [("discord", "**see** <https://x.example> \\<@1\\> \\[a\\](b) https://y.example/a_b?c=1&d: https://y.example/a_b?c=1&d"),
                                        ("slack", "**see** <https://x.example> &lt;@1&gt; [a](b) https://y.example/a_b?c=1&amp;d: https://y.example/a_b?c=1&amp;d")])
def test_the_words_of_a_template_are_meant_and_those_of_an_event_are_not(type, said):
    body = json.dumps({"a": "<@1> [a](b) https://y.example/a_b?c=1&d", "u": "https://y.example/a_b?c=1&d"}).encode()
    with (service := SERVICES[type]("t")) as url:
        assert tell(destination(type, url, text="**see** <https://x.example> {payload.a}: {payload.u}"), work(body))[0].ok
    message, = service.posted
    assert message.get("content", message.get("text")) == (said if type == "slack" else said.replace("(b)", "\\(b\\)"))


@pytest.mark.parametrize("type, most", [("discord", 2000), ("slack", 4000)])
@pytest.mark.parametrize("text", ["x" * 5000, "\U0001f600" * 5000, "*" * 5000, "x" * 1999 + "\U0001f600" * 2001])
def test_what_is_too_long_is_cut(type, most, text):
    body = json.dumps({f"{number}": text for number in range(30)}).encode()
    with (service := SERVICES[type]("t")) as url:
        outcomes = tell(destination(type, url, text="{payload.1}"), work(body)) + tell(destination(type, url), work(body))
    assert all(outcome.ok for outcome in outcomes)
    for message in service.posted:
        said = message.get("content", message.get("text"))
        assert len(said.encode("utf-16-le")) // 2 <= most and "…" in said


@pytest.mark.parametrize("type", TYPES)
def test_a_message_of_nothing_is_not_sent(type):
    with (service := SERVICES[type]("t")) as url:
        outcome, = tell(destination(type, url, text=" {payload.none}\n"), work(b"{}"))
    assert (outcome.cause, outcome.final) == ("template", True) and not service.heads


@pytest.mark.parametrize("type", TYPES)
def test_a_notice_is_told_in_its_own_words_whatever_the_template(type):
    words = {"type": "destination.disabled", "destination": "ci", "why": "x", "text": "The destination ci was disabled: it x."}
    with (service := SERVICES[type]("t")) as url:
        assert all(outcome.ok for outcome in tell(destination(type, url, text="{payload.none}"), notice(words), told(words)))
    notes, event = [message.get("content", message.get("text")).split("\n") for message in service.posted]
    assert notes[1] == event[1] == words["text"] and notes[2:4] == event[2:4] == ["destination: ci", "why: x"]
    assert "destination.disabled" in notes[0] and "scans: song.analyzed" in event[0]


# -- what they answer ------------------------------------------------------------------------------

def one(type: str, answered: bytes):
    with (service := SERVICES[type](SECRET, [answered])) as url:
        outcome, = tell(destination(type, url), work())
    assert len(service.heads) == 1
    return outcome


@pytest.mark.parametrize("body, headers, wait", [
    ({"message": "You are being rate limited.", "retry_after": 64.57, "global": False}, ["Retry-After: 65"], 65),
    ({"message": "You are being rate limited.", "retry_after": 1336.57, "global": True}, ["Retry-After: 1", "X-RateLimit-Global: true"], 1336.57),
    ({"retry_after": 0.25}, [], 0.25), ({}, ["X-RateLimit-Reset-After: 2.5"], 2.5), ({"retry_after": "x"}, ["Retry-After: 3"], 3), ({"retry_after": True}, [], None),
    ({"retry_after": -1}, [], None), ({"retry_after": 10**300}, [], 86400), ([], [], None), ({"retry_after": float("inf")}, [], None),
])
def test_discord_says_how_long_to_wait(body, headers, wait):
    outcome = one("discord", api("429 Too Many Requests", body, *headers))
    assert (outcome.ok, outcome.status, outcome.retry_after) == (False, 429, wait) and retried(outcome)


def test_discord_says_that_the_next_one_would_be_too_many():
    outcome = one("discord", answer("204 No Content", b"", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset-After: 1.5"))
    assert outcome.ok and outcome.retry_after == 1.5


def test_slack_says_how_long_to_wait():
    outcome = one("slack", answer("429 Too Many Requests", b"rate_limited", "Retry-After: 30"))
    assert (outcome.retry_after, outcome.note) == (30, "answered 429: rate_limited") and retried(outcome)


@pytest.mark.parametrize("type, status, body, gone, final", [
    ("discord", "404 Not Found", b'{"message": "Unknown Webhook", "code": 10015}', True, True),
    ("discord", "401 Unauthorized", b'{"message": "Invalid Webhook Token", "code": 50027}', False, True),
    ("discord", "400 Bad Request", b'{"content": ["Must be 2000 or fewer in length."]}', False, False),
    ("discord", "403 Forbidden", b"<html>error 1015</html>", False, True), ("discord", "502 Bad Gateway", b"", False, False),
    ("slack", "404 Not Found", b"no_service", True, True), ("slack", "410 Gone", b"channel_is_archived", True, True),
    ("slack", "403 Forbidden", b"action_prohibited", False, True), ("slack", "400 Bad Request", b"invalid_payload", False, False),
    ("slack", "500 Internal Server Error", b"rollup_error", False, False),
])
def test_what_is_final_and_what_is_gone(type, status, body, gone, final):
    outcome = one(type, answer(status, body))
    assert (outcome.ok, outcome.gone, outcome.final) == (False, gone, final)
    assert retried(outcome) == (outcome.status >= 500)
    words = json.loads(body).get("message", "") if body[:1] == b"{" else body.decode() if type == "slack" else ""
    assert outcome.note == f"answered {status[:3]}" + (f": {words}" if words else "")
    assert SECRET not in str(outcome.request)
