"""Deliveries to a program: the event's body on standard input, fields of it as arguments.

Never in the environment: a body may be larger than that can be, and shells have read commands out of variables before. No shell
takes part, so a field is one argument whatever it holds. What a field must not become is an option: an argument that
begins with a hyphen where the template does not is refused.

Exit code 0 is success. Anything else, and a signal, is a failure that is tried again.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping

from hookserver.config.model import ExecDestination
from hookserver.core.hiding import hidden_bytes
from hookserver.core.records import BadLine
from hookserver.core.tasks import EXCERPT, NOTE, Outcome
from hookserver.core.templates import Values, compile_template
from hookserver.tasks.programs import Ended, Program, run
from hookserver.tasks.warded import environment
from hookserver.tasks.work import Work


class ExecPerformer:
    """Makes the attempts of one destination. ``given``: the server's own environment, of which little is passed on."""

    def __init__(self, destination: ExecDestination, given: Mapping[str, str]):
        """Raises ValueError for a template that the configuration should have refused."""
        self._to = destination
        self._templates = [compile_template(text) for text in destination.argv[1:]]
        self._environment = environment(given, destination.env)

    async def perform(self, work: Work) -> Outcome:
        try:
            program = Program(argv=self._arguments(work), cwd=self._to.cwd, env=self._environment, timeout=work.timeout)
            body = work.body
        except BadLine as problem:
            return Outcome(False, "template", f"the record cannot be read: {problem}", final=True)
        except ValueError as problem:
            return Outcome(False, "template", str(problem), final=True)
        return self._outcome(await run(program, body), len(body), work.timeout)

    async def close(self) -> None:
        """Nothing is kept between attempts."""

    def _arguments(self, work: Work) -> tuple[str, ...]:
        """Raises ValueError, BadLine among others."""
        values = Values(work.line, work.task, work.number)
        arguments = [self._to.argv[0]]
        for place, (text, template) in enumerate(zip(self._to.argv[1:], self._templates), 1):
            argument = template.render(values)
            if "\0" in argument:
                raise ValueError(f"argument {place} would hold a NUL, which no argument can")
            if argument.startswith("-") and not text.startswith("-"):
                raise ValueError(f"argument {place} would begin with a hyphen that comes from the event, so it could pass for an option")
            arguments.append(argument)
        return tuple(arguments)

    def _outcome(self, ended: Ended, size: int, timeout: float) -> Outcome:
        ok, cause, note = told(ended, timeout)
        return Outcome(
            ok, cause, note[:NOTE], status=ended.code, final=ended.too_long, truncated=ended.truncated,
            excerpt=hidden_bytes(ended.output, self._to.env.values())[:EXCERPT],
            request={"program": self._to.argv[0], "arguments": len(self._templates), "size": size})


def told(ended: Ended, timeout: float) -> tuple[bool, str, str]:
    """Whether it is a success, the cause, and a sentence for people."""
    if ended.trouble:
        return False, "spawn", ended.trouble
    if ended.timed_out:
        how = "it had to be killed" if ended.code is None and ended.signal is None else "it was ended"
        return False, "timeout", f"no end within {timeout:g} s; {how}"
    if ended.signal is not None:
        return False, "signal", f"ended by {_signal_name(ended.signal)}"
    if ended.code:
        return False, "exit", f"exit code {ended.code}"
    return True, "ok", ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
