"""Asking ACRCloud for results: an outcome whatever it answers, and the token in none."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request

from hookserver.core.guard import parse_url
from hookserver.core.records import event_draft
from hookserver.core.retry import RetryPolicy
from hookserver.core.tasks import Outcome, Task
from hookserver.services.acrcloud_simulator import AcrCloudSimulator
from hookserver.tasks.acrcloud_results import ResultsPerformer, judged
from hookserver.tasks.client import Client
from hookserver.tasks.connect import Connector
from hookserver.tasks.verdict import verdict
from hookserver.tasks.work import Work
from tests.tasks.deliveries import AT

TOKEN = "t0ken-of-the-console"


def attempt(url: str | None, payload: dict, *, token: str = TOKEN, known: str = "") -> Outcome:
    """One question about what ``payload`` tells of; ``known``: the file that the song of the event is known to have."""
    line = event_draft(source="scans", provider="acrcloud", type="file.ready", method="POST", path="/", client="", headers=(),
                       body=json.dumps(payload).encode(), is_json=True, to=["scans.results"]).line(7, 7, AT, "k3f9q2")

    async def run() -> Outcome:
        client = Client(Connector())
        performer = ResultsPerformer(url and parse_url(f"{url}/api/fs-containers/12/files"), token, client, lambda event: known)
        try:
            return await performer.perform(Work(Task("tsk_k3f9q2_7_0", "results", "scans.results", "evt_k3f9q2_7", AT, AT), line, 1, AT, 5))
        finally:
            await performer.close()
            await client.close()

    return asyncio.run(run())


def test_the_api_is_asked_for_the_file_of_the_event_or_of_its_song():
    api = AcrCloudSimulator(token=TOKEN, container="12", delay=0.05)
    try:
        request = urllib.request.Request(f"{api.url}/api/fs-containers/12/files", json.dumps(
            {"data_type": "audio_url", "url": "https://a.example/x.mp3?simulate=match"}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request) as answer:
            file = json.load(answer)["data"]["id"]
        found = attempt(api.url, {"file_id": file})
        if found.cause == "pending":    # it may be quicker
            assert (found.ok, found.final, found.value) == (False, False, None) and "still processing" in found.note
            assert verdict(RetryPolicy(), found) is True    # the breaker has no reason to open
        deadline = time.monotonic() + 5
        while not found.ok and time.monotonic() < deadline:
            found = attempt(api.url, {"file_id": file})
        assert json.loads(bytes(found.value))["results"]["music"] and not found.excerpt
        api.as_list = False
        assert json.loads(bytes(attempt(api.url, {"song": "s"}, known=file).value))["id"] == file
        api.refuse(429, retry_after=9)
        busy = attempt(api.url, {"file_id": file})
        assert (busy.status, busy.retry_after, busy.note) == (429, 9.0, "ACRCloud is asked too often (429)")
        for found, status, final in ((attempt(api.url, {"file_id": file}, token="other"), 401, False), (attempt(api.url, {"file_id": "a/../b?c"}), 404, False),
                                     (attempt(api.url, {"song": "s"}), None, True), (attempt(None, {"file_id": file}), None, True)):
            assert (found.ok, found.status, found.final) == (False, status, final) and TOKEN not in repr(found)
        assert "GET /api/fs-containers/12/files/a%2F..%2Fb%3Fc" in api.asked
    finally:
        api.close()


def test_answers_that_are_none():
    for answer, cause in (
            (b'{"data":{"id":"F","state":1}}', "ok"), (b'{"data":[{"id":"G","state":1},{"id":"F","state":-1}]}', "ok"), (b'{"data":{"id":"F","state":0}}', "pending"),
            (b'{"data":{"id":"F","state":7}}', "pending"), (b'{"data":{"id":"F"}}', "pending"), (b'{"data":{"id":"G","state":1}}', "protocol"), (b'{"data":[]}', "protocol"),
            (b'{"data":[1]}', "protocol"), (b'{"data":null}', "protocol"), (b"{}", "protocol"), (b"[]", "protocol"), (b"", "protocol"), (b"<html>", "protocol"),
            (b"\xff", "protocol"), (b'{"data":{"id":"F","state":1,"results":NaN}}', "protocol"), (b'{"data":{"id":"F","state":1},"data":1}', "protocol"),
            (b'{"data":' + b"[" * 200 + b"]" * 200 + b"}", "protocol")):
        found = judged(Outcome(True, "ok", status=200, excerpt=answer), "F")
        assert (found.cause, found.ok, found.value is not None) == (cause, cause == "ok", cause == "ok"), answer
    assert judged(Outcome(True, "ok", excerpt=b'{"data":{"id":"F","state":1}}', truncated=True), "F").cause == "protocol"
