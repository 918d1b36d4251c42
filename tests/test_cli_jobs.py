"""``hookserver jobs`` and ``hookserver send jobs``, as their user sees them."""

from __future__ import annotations

import json

import pytest

from tests.jobs import conf
from tests.process import ServerProcess
from tests.receiver import Receiver
from tests.running import write_conf

SOURCE = """\
sources:
  done: {{type: generic, path: /webhook-handler, verify: {{preset: jobs, secrets: ["{secret}"]}}}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A job service that also takes notifications of others."""
    home = tmp_path_factory.mktemp("jobs")
    write_conf(home, text=conf() + SOURCE)
    running = ServerProcess(home).start()
    yield running
    assert running.stop() == 0


def url(server: ServerProcess) -> str:
    return f"http://127.0.0.1:{server.port}"


def ids(server: ServerProcess) -> list[str]:
    return [line.split()[0] for line in server.run("jobs", "--url", url(server)).stdout.splitlines()]


def test_sent_listed_and_asked_for(server):
    with Receiver() as told:
        sent = server.run("send", "jobs", "--count", "3", "--webhook", told.url, "--url", url(server))
        assert (sent.returncode, "202: 3" in sent.stdout) == (0, True), sent
        found = ids(server)
        assert len(found) == 3
        one = server.run("jobs", found[0], "--wait", "10", "--url", url(server))
        assert one.returncode == 0 and json.loads(one.stdout)["status"] == "completed"
        made = json.loads(server.run("jobs", found[0], "--results", "--wait", "10", "--url", url(server)).stdout)
        assert made["results"][0]["descriptions"]["en"].startswith("Lot ")
        assert {json.loads(got.body)["job_id"] for got in told.got} <= set(found)
    assert server.run("jobs", "--status", "failed", "--url", url(server)).returncode == 1
    refused = server.run("send", "jobs", "--count", "2", "--bad-signature", "--url", url(server))
    assert (refused.returncode, "401: 2" in refused.stdout) == (0, True)


def test_a_webhook_that_did_not_come_is_made_up_for(server):
    assert server.run("send", "jobs", "--count", "1", "--url", url(server)).returncode == 0
    words = ("jobs", ids(server)[0], "--service", url(server), "--source", "done", "--wait", "10", "--url", url(server))
    first, second = server.run(*words), server.run(*words)
    assert (first.returncode, first.stdout.splitlines()[-1]) == (0, "done: answered 200")
    assert (second.returncode, second.stdout.splitlines()[-1]) == (0, "done: answered 200, it was there already")


def test_what_is_not_there_is_one_line(server):
    unknown = server.run("jobs", "5017d3f0-0000-4000-8000-000000000000", "--url", url(server))
    assert (unknown.returncode, unknown.stderr.count("\n")) == (1, 1) and "no job" in unknown.stderr
    assert server.run("jobs", "x", "--source", "done", "--url", url(server)).returncode == 2
    assert server.run("jobs", "x", "--service", "http://127.0.0.1:9", "--url", url(server)).returncode == 74
