"""What every performer has to keep to, whatever the other side does.

A test class takes ``Conformance`` as its base and says how one of its performers is made, and how the other side may misbehave.
All of it runs under each event loop that the server may have.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from hookserver.core.announcements import Announcement, announcement_draft
from hookserver.core.retry import RetryPolicy, decide
from hookserver.core.tasks import CAUSES, DELIVERY, EXCERPT, NOTE, NOTICE, RETRY, Outcome, Task, attempted_draft, made_draft
from hookserver.tasks.work import Performer, Work

from tests.process import until
from tests.tasks.deliveries import AT, LOOPS, runner, work

SECRET = "s3cr3t-of-the-house"
LONG = 30.0     # seconds that no test should ever need


#: (body, whether it is JSON): what a sender may make an event of.
HOSTILE = [
    (b"", False), (b"null", True), (b"[]", True), (b'"x"', True), (b"0", True), (b'{"a":1}', True), (b"\x00\xff\xfe", False),
    (b"a=b&c=\r\nBcc: x@example.com", False), (b'{"a":{"a":{"a":{"a":{"a":[[[[[1]]]]]}}}},"n":1e300,"i":' + b"9" * 1000 + b"}", True),
    (rb'{"":"","-rf":"-rf","a":"\u0000\u001b[31m\r\nX-Evil: 1","b":"\u202e<!channel> @everyone <@1> &amp; [x](https://evil.example)"}', True),
    (b'{"a":"' + b"x" * 300_000 + b'"}', True), (('{"a":"' + "\U0001f600" * 3000 + '"}').encode(), True),
]
HEADERS = (("Content-Type", "text/plain\xff; x=\x00"), ("X-Odd", "\udcff\ud800"))


def told(content: dict, seq: int = 9) -> Work:
    """One attempt to tell what we have found out."""
    draft = announcement_draft(Announcement("scans", "song.analyzed", "song 1", json.dumps(content).encode()), ["ci"])
    return Work(Task(f"tsk_k3f9q2_{seq}_0", DELIVERY, "ci", f"evt_k3f9q2_{seq}", AT, AT), draft.line(seq, seq, AT, "k3f9q2"), 1, AT, LONG)


def notice(content: object, seq: int = 8) -> Work:
    """One attempt to tell a notice."""
    line = made_draft("", ["ci"], "notice", notice=content).line(seq, seq, AT, "k3f9q2")
    task = Task(f"tsk_k3f9q2_{seq}_0", NOTICE, "ci", f"evt_k3f9q2_{seq}", AT, AT)
    return Work(task, line, 1, AT, LONG)


class Conformance:
    """``healthy``, ``silent`` and ``echo`` are context managers that give a performer and need ``home``, a directory: the other
    side takes the work; says nothing for ever, when a function tells whether it has been reached; or repeats all
    that it knows, ``SECRET`` among it. ``troubles``: name -> (context manager, the causes that may come of it, and whether it is final).
    """

    troubles: dict[str, tuple[Callable, set[str], bool]] = {}

    @contextlib.contextmanager
    def healthy(self, home: Path) -> Iterator[Performer]:
        raise NotImplementedError

    @contextlib.contextmanager
    def silent(self, home: Path) -> Iterator[tuple[Performer, Callable[[], bool]]]:
        raise NotImplementedError

    @contextlib.contextmanager
    def echo(self, home: Path) -> Iterator[Performer]:
        raise NotImplementedError

    @pytest.fixture(params=LOOPS)
    def attempt(self, request):
        """``attempt(performer, work)``: the outcome of one, on a loop of its own."""
        run = runner(request.param)

        async def one(performer: Performer, of: Work) -> Outcome:
            async with asyncio.timeout(LONG):
                try:
                    return await performer.perform(of)
                finally:
                    await performer.close()

        return lambda performer, of=None: run(one(performer, of or work()))

    def test_work_is_done(self, attempt, tmp_path):
        with self.healthy(tmp_path) as performer:
            outcome = lawful(attempt(performer))
        assert outcome.ok, outcome

    @pytest.mark.parametrize("number", range(len(HOSTILE)))
    def test_whatever_the_event_holds_is_an_outcome(self, attempt, tmp_path, number):
        body, is_json = HOSTILE[number]
        with self.healthy(tmp_path) as performer:
            outcome = lawful(attempt(performer, work(body, is_json=is_json, headers=HEADERS, type="-x\n")))
        assert outcome.ok or outcome.cause == "template" and outcome.final, outcome

    @pytest.mark.parametrize("content", [{"type": "destination.disabled", "destination": "ci", "text": "is\r\ngone"}, {"type": ["x"], "text": 1},
                                         {}, {"type": "asset.status", "a": {"b": "<!here>"}}, [], 1, {"text": "x" * 5000}])
    def test_notices_of_every_kind_are_told(self, attempt, tmp_path, content):
        with self.healthy(tmp_path) as performer:
            assert lawful(attempt(performer, notice(content))).ok

    def test_the_time_out_is_kept_to(self, attempt, tmp_path):
        with self.silent(tmp_path) as (performer, _):
            outcome = lawful(attempt(performer, work(timeout=0.3)))
        assert (outcome.ok, outcome.cause, outcome.final) == (False, "timeout", False), outcome
        assert retried(outcome)

    def test_trouble_is_an_outcome(self, attempt, tmp_path):
        for name, (how, causes, final) in self.troubles.items():
            home = tmp_path / name
            home.mkdir()
            with how(self, home) as performer:
                outcome = lawful(attempt(performer, work(timeout=1.0)))
            assert not outcome.ok and outcome.cause in causes and outcome.final == final, (name, outcome)
            assert outcome.note, (name, "people have to be told")

    def test_no_secret_is_in_an_outcome(self, attempt, tmp_path):
        with self.echo(tmp_path) as performer:
            outcome = lawful(attempt(performer))
        told = msgspec.json.encode([outcome.note, outcome.headers, outcome.request]) + outcome.excerpt
        assert SECRET.encode() not in told and SECRET not in repr(performer), outcome
        assert b"[redacted]" in told, "the other side was to repeat it"

    def test_a_record_that_cannot_be_read_is_an_outcome(self, attempt, tmp_path):
        with self.healthy(tmp_path) as performer:
            outcome = lawful(attempt(performer, msgspec.structs.replace(work(), line=b'{"seq":7,"batch":7}\n')))
        assert (outcome.ok, outcome.cause, outcome.final) == (False, "template", True)

    @pytest.mark.parametrize("loop", LOOPS)
    def test_a_cancellation_passes_and_everything_is_let_go(self, loop, tmp_path):
        async def story(performer: Performer, reached: Callable[[], bool]):
            others = asyncio.all_tasks()
            attempt = asyncio.ensure_future(performer.perform(work(timeout=LONG)))
            await asyncio.to_thread(until, reached, seconds=LONG, what="the other side is reached")
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                async with asyncio.timeout(LONG):
                    await attempt
            assert asyncio.all_tasks() == others
            await performer.close()

        threads = set(threading.enumerate())
        with self.silent(tmp_path) as (performer, reached):
            runner(loop)(story(performer, reached))
        until(lambda: not [one for one in threading.enumerate() if one not in threads], seconds=LONG, what="threads end")
        self.nothing_is_left(tmp_path)

    def nothing_is_left(self, home: Path) -> None:
        """After a cancellation."""


def lawful(outcome: Outcome) -> Outcome:
    """It says what it has to say, within its limits, and can be written down and decided upon."""
    assert outcome.cause in CAUSES and outcome.ok == (outcome.cause == "ok"), outcome
    assert len(outcome.note) <= NOTE and len(outcome.excerpt) <= EXCERPT and "\0" not in outcome.note
    task = work().task
    line = attempted_draft(task, outcome, "done" if outcome.ok else "failed", began_ms=AT).line(9, 9, AT, "k3f9q2")
    assert msgspec.json.decode(line)["kind"] == "task.attempted"
    return outcome


def retried(outcome: Outcome) -> bool:
    """Whether a policy with nothing special tries again."""
    return decide(RetryPolicy(), outcome, 1, 0.5).state == RETRY

