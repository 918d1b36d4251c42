"""A file goes to ACRCloud, or does not: an outcome whatever happens, and no more memory for more bytes."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import threading

import pytest

from hookserver.core.guard import parse_url
from hookserver.core.records import event_draft
from hookserver.core.tasks import Outcome, Task
from hookserver.services.acrcloud_simulator import AcrCloudSimulator
from hookserver.tasks.acrcloud_upload import UploadPerformer
from hookserver.tasks.client import Client
from hookserver.tasks.connect import Connector
from hookserver.tasks.work import Work

from tests.tasks.deliveries import AT

TOKEN = "t0ken-of-the-console"


@pytest.fixture(scope="module")
def simulator():
    made = AcrCloudSimulator(token=TOKEN, container="12", delay=60, largest=40 << 20)
    yield made
    made.close()


def attempt(url: str, home, payload: dict, *, token: str = TOKEN, timeout: float = 10.0) -> Outcome:
    """One attempt to upload what ``payload`` tells of."""
    line = event_draft(source="scans", provider="acrcloud", type="file.uploaded", method="POST", path="/acrcloud/upload/", client="", headers=(),
                       body=json.dumps(payload).encode(), is_json=True, to=["scans.upload"]).line(7, 7, AT, "k3f9q2")

    async def run() -> Outcome:
        performer = UploadPerformer(parse_url(f"{url}/api/fs-containers/12/files"), token, Client(Connector()), home=home, timeout=timeout)
        try:
            return await performer.perform(Work(Task("tsk_k3f9q2_7_0", "upload", "scans.upload", "evt_k3f9q2_7", AT, AT), line, 1, AT, timeout))
        finally:
            assert not performer.sent
            await performer.close()

    return asyncio.run(run())


def song(home, content: bytes, **more) -> dict:
    (home / "uploads").mkdir(exist_ok=True)
    (home / "uploads" / "one.mp3").write_bytes(content)
    return {"song": "song_1", "name": 'a "song".mp3', "size": len(content), "file": "uploads/one.mp3", **more}


def test_a_file_and_a_url_are_taken(simulator, tmp_path):
    outcome = attempt(simulator.url, tmp_path, song(tmp_path, b"simulate:clear\n" + b"\r\n--" * 50_000))
    data = json.loads(bytes(outcome.value))
    assert outcome.ok and (data["name"], data["state"], data["uri"]) == ('a "song".mp3', 0, 'audio:a "song".mp3') and outcome.excerpt == b""
    outcome = attempt(simulator.url, tmp_path, {"song": "song_2", "name": "N", "url": "https://x.example/n.mp3", "data_type": "audio_url"})
    assert outcome.ok and json.loads(bytes(outcome.value))["uri"] == "audio_url:https://x.example/n.mp3"


def test_what_is_refused_is_an_outcome_without_the_token(simulator, tmp_path):
    simulator.refuse(429, retry_after=9)
    assert (found := attempt(simulator.url, tmp_path, song(tmp_path, b"x"))).status == 429 and found.retry_after == 9.0 and not found.final
    assert attempt(simulator.url, tmp_path, song(tmp_path, b"x"), token="wrong").status == 401
    assert attempt(simulator.url, tmp_path, song(tmp_path, b"x", data_type="video")).status == 422
    for payload in ({"name": "x"}, [], {"song": "s", "name": "n", "size": -1, "file": "uploads/one.mp3"}, song(tmp_path, b"x", file="uploads/gone.mp3")):
        found = attempt(simulator.url, tmp_path, payload)
        assert (found.cause, found.final) == ("invalid", True)
        assert TOKEN not in repr(found)


def test_a_large_file_takes_no_more_memory_and_stops_at_a_refusal(simulator, tmp_path):
    payload = song(tmp_path, b"")
    with open(tmp_path / "uploads" / "one.mp3", "wb") as file:
        file.truncate(200 << 20)
    payload["size"] = 200 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    simulator.refuse(413)
    assert attempt(simulator.url, tmp_path, payload).status == 413
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000    # KiB


@pytest.mark.parametrize("answer, cause, final", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "protocol", True),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"data\":", "protocol", False),
    (b"HTTP/1.1 201 Created\r\nContent-Length: 11\r\n\r\n{\"data\":[]}", "protocol", True),
    (b"HTTP/1.1 201 Created\r\nContent-Length: 17\r\n\r\n{\"data\":{\"id\":1}}", "protocol", True),
    (b"", "reset", False),
    (None, "timeout", False),
])
def test_answers_that_are_none(tmp_path, answer, cause, final):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            if answer is not None:
                connection.recv(1 << 16)
                connection.sendall(answer)
            else:
                ended.wait(10)  # and reads nothing

    ended = threading.Event()
    threading.Thread(target=serve, daemon=True).start()
    found = attempt(f"http://127.0.0.1:{listener.getsockname()[1]}", tmp_path, song(tmp_path, b"x" * 20_000_000 if answer is None else b"x"), timeout=0.4)
    ended.set()
    listener.close()
    assert (found.ok, found.cause, found.final) == (False, cause, final)
