"""The stand-in for ACRCloud obeys the documented API, its errors included."""

from __future__ import annotations

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hookserver.core.uploads import form_around
from hookserver.providers.acrcloud_results import STATES, kind_of, results_of
from hookserver.services.acrcloud_simulator import AcrCloudSimulator

from tests.process import until

FILES = "/api/fs-containers/12/files"


@pytest.fixture(scope="module")
def simulator():
    made = AcrCloudSimulator(token="right", container="12", delay=0.02, largest=100_000)
    yield made
    made.close()


def ask(simulator: AcrCloudSimulator, method: str, path: str, body: bytes = b"", kind: str = "application/json", token: str = "right"):
    """Status, JSON and headers of one answer."""
    connection = http.client.HTTPConnection(simulator.url.removeprefix("http://"), timeout=5)
    connection.request(method, path, body, {"Authorization": f"Bearer {token}", "Content-Type": kind})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text else None, answer.headers


def upload(simulator: AcrCloudSimulator, content: bytes, name: str = "a.mp3", data_type: str = "audio"):
    form = form_around({"data_type": data_type}, name, "audio/mpeg", "b0und")
    return ask(simulator, "POST", FILES, form.before + content + form.after, form.content_type)


def test_a_file_from_upload_to_results(simulator):
    status, value, _ = upload(simulator, b"simulate:match\n" + b"x" * 60_000)
    data = value["data"]
    assert status == 201 and (data["state"], data["results"], data["name"], data["cid"]) == (0, None, "a.mp3", 12)

    def one():
        [record] = ask(simulator, "GET", f"{FILES}/{data['id']}")[1]["data"]
        return record if record["state"] else None
    record = until(one, seconds=5, what="a result")
    assert record["state"] == 1 and record["results"]["music"][0]["score"] >= 92
    listed = ask(simulator, "GET", f"{FILES}?search=a.mp3&state=1&per_page=1")[1]
    assert listed["data"][0]["id"] == data["id"] and "results" not in listed["data"][0] and listed["meta"]["per_page"] == 1
    assert ask(simulator, "PUT", f"{FILES}/{data['id']}/rescan")[1]["data"][0]["state"] == 0
    assert ask(simulator, "DELETE", f"{FILES}/{data['id']}")[0] == 204
    assert ask(simulator, "GET", f"{FILES}/{data['id']}")[0] == 404


def test_what_it_refuses(simulator):
    assert ask(simulator, "GET", FILES, token="wrong")[0] == 401
    assert ask(simulator, "GET", "/api/fs-containers/13/files")[0] == 404
    assert ask(simulator, "DELETE", FILES)[0] == 405
    assert upload(simulator, b"x", data_type="video")[0] == 422 and upload(simulator, b"")[0] == 422
    assert upload(simulator, b"x" * 100_001)[0] == 413
    for said in ({}, {"url": "file:///etc/passwd", "data_type": "audio_url"}, {"url": "https://x.example/a", "data_type": "audio"}, []):
        assert ask(simulator, "POST", FILES, json.dumps(said).encode())[0] == 422
    assert ask(simulator, "POST", FILES, b"{")[0] == 400
    simulator.refuse(429, retry_after=7)
    status, _, headers = ask(simulator, "GET", FILES)
    assert (status, headers["Retry-After"]) == (429, "7") and ask(simulator, "GET", FILES)[0] == 200


def test_the_result_is_posted_and_posted_again(simulator):
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200 if len(came) > 1 else 503)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    simulator.callback_url = f"http://127.0.0.1:{server.server_address[1]}/there?token=x"
    try:
        _, value, _ = ask(simulator, "POST", FILES, json.dumps({"url": "https://x.example/s.mp3?simulate=silent", "data_type": "audio_url"}).encode())
        until(lambda: len(came) == 2, seconds=5, what="the callback, twice")
    finally:
        simulator.callback_url = None
        server.shutdown()
        server.server_close()
    assert came[0] == came[1] == ("/there?token=x", {"file_id": value["data"]["id"], "state": -1, "cid": 12, "name": "s.mp3", "results": {}})


def test_results_depend_on_the_content_alone():
    for kind in STATES:
        digest = bytes(range(32))
        assert kind_of(f"simulate:{kind}\nrest".encode(), digest) == kind
        assert results_of(kind, digest, 180.0) == results_of(kind, digest, 180.0)
        assert (results_of(kind, digest, 180.0) is None) == (STATES[kind] != 1)
    assert {kind_of(b"", bytes([number] * 32)) for number in range(20)} == set(STATES) - {"unreadable"}
    assert kind_of(b"simulate:nonsense\n", bytes(32)) == "match"
