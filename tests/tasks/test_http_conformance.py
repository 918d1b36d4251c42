"""The performer of HTTP deliveries keeps to what every performer has to keep to."""

from __future__ import annotations

import contextlib

from hookserver.tasks.client import Client
from hookserver.tasks.connect import Connector
from hookserver.tasks.http import HttpPerformer

from tests.tasks.conformance import SECRET, Conformance
from tests.tasks.deliveries import destination
from tests.tasks.endpoints import Endpoint, answer


class Alone(HttpPerformer):
    """With a client of its own."""

    def __init__(self, url: str, **more):
        self.client = Client(Connector())
        super().__init__(destination(url, **more), self.client)

    async def close(self) -> None:
        await self.client.close()


class TestConformance(Conformance):
    @contextlib.contextmanager
    def healthy(self, home):
        with Endpoint(answer(body=b"thanks")) as endpoint:
            yield Alone(endpoint.url())

    @contextlib.contextmanager
    def silent(self, home):
        with Endpoint(lambda visit: visit.wait()) as endpoint:
            yield Alone(endpoint.url()), lambda: endpoint.visits > 0

    @contextlib.contextmanager
    def echo(self, home):
        def repeat(visit):
            head, body = visit.request()
            visit.send(answer("400 Bad Request", head + body, f"X-Secret: {SECRET}"))
        with Endpoint(repeat) as endpoint:
            yield Alone(endpoint.url(f"/in?key={SECRET}"), headers={"Authorization": f"Bearer {SECRET}", "X-Key": SECRET})

    def says(what: bytes):
        """A server that gives this answer."""
        @contextlib.contextmanager
        def how(self, home):
            with Endpoint(what) as endpoint:
                yield Alone(endpoint.url())
        return how

    @contextlib.contextmanager
    def nobody(self, home):
        with Endpoint(b"") as endpoint:
            url = endpoint.url()
        yield Alone(url)

    troubles = {
        "nobody is there": (nobody, {"connect"}, False), "it says nothing and goes": (says(b""), {"protocol", "reset"}, False),
        "it is something else": (says(b"SSH-2.0-OpenSSH_9\r\n"), {"protocol"}, False), "it is in trouble": (says(answer("500 Oops")), {"status"}, False),
        "it sends us elsewhere": (says(answer("302 Found", b"", "Location: http://127.0.0.1:1/")), {"status"}, False),
    }
