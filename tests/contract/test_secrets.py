"""What a sender and its customer share is never written down, shown or logged: not when it fits, not when it does not."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterator

import pytest

from hookserver import cli
from hookserver.web.base import Access
from hookserver.web.routes import TABLE

from tests.contract.house import House, conf, request
from tests.contract.letters import Sent, base64
from tests.contract.presets import VERIFY_TOKEN
from tests.contract.sender import Sender
from tests.contract.senders import ACRCLOUD, SENDERS
from tests.running import Client

OWN = {"admin.token"}    # files in which a secret is meant to be
INSIDE = {"graph", "sns"}       # what they repeat stands in the body, which is kept as it came; of SNS it is no secret, but the name of a topic
TOLD = {"/acrcloud/upload/": ["scans"]}    # pages that tell the owner an address with its token, which he has to tell the sender


PUBLIC = {row.pattern for row in TABLE if row.access is Access.PUBLIC}


class Everything(logging.Handler):
    """All that is logged, at any level."""

    def __init__(self):
        super().__init__(0)
        self.text: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.text.append(logging.Formatter().format(record))


@pytest.fixture(scope="module")
def journal() -> Iterator[Everything]:
    ours, everything = logging.getLogger("hookserver"), Everything()
    before = ours.level
    ours.addHandler(everything)
    ours.setLevel(logging.DEBUG)
    yield everything
    ours.setLevel(before)
    ours.removeHandler(everything)


@pytest.fixture(scope="module")
def visited(journal, tmp_path_factory) -> Iterator[House]:
    """A server to which every sender has come, rightly and wrongly."""
    house = House(tmp_path_factory.mktemp("secrets"), conf(SENDERS))
    for sender in SENDERS:
        for target, sent, method in _visits(house, sender):
            reply = house.send(request(target, sent, method))
            assert reply.status < 500 and not _found(reply.body, sender), (sender.name, method, target, reply)
    assert house.admin.get("/api/rejections").json["rejections"]
    yield house
    house.close()


def _visits(house: House, sender: Sender) -> Iterator[tuple[str, Sent, str]]:
    """(target, what is sent, method): right, with another secret, too large, by the wrong method, and where nobody is."""
    for number in (1, 2, 3):
        sent = house.sent(sender, secret=number)
        query = f"?{sent.query}" if sent.query else ""
        yield sender.at + query, sent, "POST"
        yield sender.at + query, sent._replace(body=sent.body[:-5]), "POST"
    sent = house.sent(sender, secret=2)
    query = f"?{sent.query}" if sent.query else ""
    yield sender.at + query, sent, "PUT"
    yield sender.at + query, sent._replace(headers=[*sent.headers, ("Content-Encoding", "br")]), "POST"
    yield f"{sender.at.rstrip('/')}/x/y{query}", sent, "POST"
    yield sender.at + query, sent._replace(body=b"x" * 70_000), "POST"
    for stamp in ("1e9", "1"):
        yield sender.at, house.sent(sender, stamp=stamp), "POST"
    yield f"{sender.at}?hub.mode=subscribe&hub.challenge=x&hub.verify_token={VERIFY_TOKEN}", Sent([], b""), "GET"
    yield f"{sender.at}?nobody=asked", house.sent(sender)._replace(headers=[*sent.headers, *sent.headers]), "POST"


@functools.cache
def _forms(name: str) -> set[bytes]:
    """How the secrets of a sender may look."""
    sender = next(sender for sender in SENDERS if sender.name == name)
    texts = {sender.key(number) for number in (1, 2, 3)} | {VERIFY_TOKEN}
    return {form.encode() for text in texts for form in (text, text.removeprefix("whsec_"), base64(text.encode()))}


def _found(text: bytes, sender: Sender) -> list[bytes]:
    return [form for form in _forms(sender.name) if form in text]


def _leaks(text: bytes) -> list[str]:
    return [sender.name for sender in SENDERS if sender.name not in INSIDE and _found(text, sender)]


def test_no_file_of_ours_holds_a_secret(visited: House):
    house = visited
    for sender in SENDERS:    # what has not been written yet
        house.post(sender)
    leaks = {file.name: _leaks(file.read_bytes()) for file in house.running.data.rglob("*") if file.is_file() and file.name not in OWN}
    assert len(leaks) > 3 and not any(leaks.values()), leaks


def test_no_answer_of_the_api_holds_a_secret(visited: House):
    for path in _pages(visited.admin):
        reply = visited.admin.get(path)
        assert _leaks(reply.body) in ([], TOLD.get(path)), path
        assert path in PUBLIC or visited.anybody.get(path).status == 401, path


def _pages(admin: Client) -> Iterator[str]:
    """Every page that can be asked for, and each event and rejection there is."""
    yield from (row.pattern for row in TABLE if "(" not in row.pattern and row.pattern not in ("/api/live", "/api/logout"))
    for row in _rejections(admin):
        yield f"/api/rejections/{row['id']}"
        yield f"/api/rejections/{row['id']}/raw"
    for row in admin.get("/api/events?limit=25").json["events"]:
        yield f"/api/events/{row['id']}"
        yield f"/api/events/{row['id']}/raw"


def _rejections(admin: Client) -> list[dict]:
    """Some of each cause."""
    causes = admin.get("/api/rejections?limit=1").json["by_cause"]
    assert {"signature_mismatch", "too_large", "method_not_allowed", "unmatched", "bad_timestamp", "timestamp_outside"} <= {*causes}
    return [row for cause in causes for row in admin.get(f"/api/rejections?limit=6&cause={cause}").json["rejections"]]


def test_no_line_of_our_log_holds_a_secret(visited: House, journal: Everything):
    assert len(journal.text) > len(SENDERS)
    for line in journal.text:
        assert not _leaks(line.encode("utf-8", "surrogateescape")), line


def test_no_command_prints_a_secret(visited: House, capsys):
    file = str(visited.running.config.file)
    event, refusal = (visited.admin.get(path).json for path in ("/api/events?limit=1", "/api/rejections?limit=1"))
    for words in (["check"], ["check", "--since", "7d"], ["tail"], ["explain", event["events"][0]["id"]], ["explain", refusal["rejections"][0]["id"]]):
        code, said = cli.main([*words, "-c", file]), capsys.readouterr()
        assert code == 0 and said.out, (words, said.err)
        assert _leaks((said.out + said.err).encode()) in ([], ["scans"] if words == ["check"] else []), words


def test_a_token_in_an_address_is_hidden_wherever_it_stands(visited: House):
    """Also in an address that is wrong by a slash."""
    token = ACRCLOUD.key(1)
    for tail in (token, f"{token}/", f"x/{token}", f"?token={token}&a=1", f"?TOKEN={token}", f"?%74oken={token}", f"{token}?token={token}",
                 f"?a={token}", f"/{token}", f"{token}%20"):
        visited.send(request(ACRCLOUD.at + tail, visited.sent(ACRCLOUD)._replace(query="")))
    text = b"".join(file.read_bytes() for file in visited.running.data.rglob("*") if file.is_file() and file.name not in OWN)
    assert not re.findall(rb".{60}" + re.escape(token.encode()), text)


def test_each_refusal_says_which_check_it_failed(visited: House):
    for row in _rejections(visited.admin):
        checks = visited.admin.get(f"/api/rejections/{row['id']}").json["checks"]
        assert [check["ok"] for check in checks].count(False) == 1, (row["cause"], checks)
