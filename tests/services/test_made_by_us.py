"""Events that came by no webhook: what we have to tell, and songs that were handed in."""

from __future__ import annotations

import json

import pytest

from hookserver import config
from hookserver.config.model import Notify, RouteRule
from hookserver.core.announcements import Announcement, announcement_draft
from hookserver.core.records import decode, event_draft
from hookserver.services.checks import checks_of
from hookserver.services.reception import Reception
from hookserver.services.routing import Routing
from hookserver.services.summaries import song_of, title_of
from hookserver.services.trial import Trial
from hookserver.services.uploads import PATH

TEXT = "The song “A” is analysed."
ROUTING = Routing([RouteRule(("*",), None, ("archive", "ci"), "conf.yaml:3")], Notify(("destination.disabled",), ("ci", "team")))


def line_of(draft) -> bytes:
    return draft.line(7, 7, 1_700_000_000_000, "abc123")


def told(type: str = "song.analyzed", **members) -> bytes:
    return line_of(announcement_draft(Announcement("scans", type, "a key", json.dumps({"text": TEXT} | members).encode()), ()))


def handed_in(path: str = PATH, **members) -> bytes:
    return line_of(event_draft(source="scans", provider="acrcloud", type="file.uploaded", method="POST", path=path, client="127.0.0.1", headers=(),
                               body=json.dumps(members).encode(), is_json=True))


@pytest.mark.parametrize("line,song", [
    (told(song="s1"), "s1"), (told(song=7), None), (told("asset.status", song="s1"), None), (handed_in(song="s2"), "s2"), (handed_in("/elsewhere", song="s2"), None),
    (handed_in("/elsewhere", file_id="F", results=["x" * 100_000]), "F"), (handed_in("/elsewhere", file_id=7), None)])
def test_an_event_names_its_song(line, song):
    assert song_of(decode(line)) == song


def test_they_are_told_in_our_words_and_no_check_is_claimed():
    record = decode(told(song="s1"))
    assert title_of(record) == TEXT and [check.check for check in checks_of(record)] == ["made", "stored"]


def test_other_rules_would_not_have_refused_them(tmp_path):
    file = tmp_path / "conf.yaml"
    file.write_text("sources: {}\n")
    file.chmod(0o600)
    trial = Trial(Reception(config.load(file, env={})))
    for line in (told(song="s1"), handed_in(song="s2"), handed_in("/hooks/x")):
        trial.event(decode(line), line)
    assert {name: (tally.events, tally.refused) for name, tally in trial.tallies.items()} == {"scans": (2, 1)}


def test_routes_and_notify_choose_and_the_one_concerned_is_spared():
    record = decode(told("destination.disabled", destination="ci"))
    assert ROUTING.choose_for(record) == ("archive", "team")
    verdicts, today = ROUTING.retrace(record)
    assert today == ("archive", "team") and [(verdict.place, verdict.matched) for verdict in verdicts] == [("conf.yaml:3", True), ("notify", True)]
    assert ROUTING.retrace(decode(told()))[1] == ROUTING.choose_for(decode(told())) == ("archive", "ci")
    sent = decode(line_of(event_draft(source="scans", provider="acrcloud", type="destination.disabled", method="POST", path="/x", client="", headers=(),
                                      body=b"{}", is_json=True, to=("archive", "scans.results"))))
    assert ROUTING.choose_for(sent) == ("archive", "ci") and ROUTING.retrace(sent)[1] == ("archive", "ci", "scans.results")


@pytest.mark.parametrize("before,status,to", [("processing", "processing", ("archive",)), ("processing", "approved", ("archive", "team")), ("", "processing", ("archive", "team"))])
def test_a_word_that_means_the_same_as_the_one_before_is_told_to_nobody(before, status, to):
    routing = Routing([RouteRule(("*",), None, ("archive",), "conf.yaml:3")], Notify(("asset.status",), ("team",)))
    record = decode(told("asset.status", before=before, status=status))
    verdicts, today = routing.retrace(record)
    assert routing.choose_for(record) == today == to and verdicts[-1].matched == all(step.ok for step in verdicts[-1].steps) == ("team" in to)
