"""A program as a worker: the lot on its standard input, what it has made of it on its standard output, as JSON.

An exit code other than 0 is tried again; a program that cannot make anything of a lot says so: ``{"error": "…"}`` and 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hookserver.core.records import BadLine
from hookserver.core.tasks import EXCERPT, Outcome
from hookserver.tasks.client import READ
from hookserver.tasks.execute import told
from hookserver.tasks.lots import Lots, judged, order
from hookserver.tasks.programs import Program, run
from hookserver.tasks.warded import environment
from hookserver.tasks.work import Work


class ExecWorker:
    """``argv``: the whole path of the program, and its arguments. ``given``: the server's own environment, of which little is passed on."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, given: Mapping[str, str]):
        self._argv, self._cwd, self._environment, self._lots = tuple(argv), cwd, environment(given, {}), Lots()

    async def perform(self, work: Work) -> Outcome:
        try:
            found = self._lots.find(work)
        except BadLine as error:
            return Outcome(False, "invalid", str(error), final=True)
        program = Program(argv=self._argv, cwd=self._cwd, env=self._environment, timeout=work.timeout, head=READ + 1, tail=0, apart=True)
        ended = await run(program, order(found, work))
        ok, cause, note = told(ended, work.timeout)
        outcome = Outcome(ok, cause, note, status=ended.code, excerpt=(ended.errors or ended.output)[-EXCERPT:],
                          request={"program": self._argv[0], "lot": work.task.part})
        return judged(outcome, ended.output, found.languages, whole=len(ended.output) <= READ) if ok else outcome

    async def close(self) -> None:
        """Nothing is kept between attempts."""
