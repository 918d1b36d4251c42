"""Deliveries to programs: what a program gets, how it ends, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hookserver.config.model import ExecDestination
from hookserver.core.retry import RetryPolicy
from hookserver.core.tasks import EXCERPT
from hookserver.tasks import programs
from hookserver.tasks.execute import ExecPerformer

from tests.process import REPOSITORY, until
from tests.tasks.conformance import LONG, SECRET, Conformance, lawful, retried
from tests.tasks.deliveries import LOOPS, runner, work

SHELL = "/bin/sh"


def destination(*argv: str, cwd: Path = Path("/tmp"), **more) -> ExecDestination:
    return ExecDestination(name="ci", type="exec", timeout=20, retry=RetryPolicy(), argv=argv, cwd=cwd, **more)


def python(script: str, *arguments: str, **more) -> ExecDestination:
    return destination(sys.executable, "-I", "-S", "-c", script, *arguments, **more)


@pytest.fixture(params=LOOPS)
def execute(request):
    """``execute(destination, work)``: the outcome of one attempt."""
    run = runner(request.param)
    return lambda to, of=None, given=os.environ: lawful(run(ExecPerformer(to, given).perform(of or work())))


def processes(mark: str) -> dict[int, str]:
    """Number -> command line, of processes that have not ended and hold ``mark`` in it."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                if mark in line:
                    found[int(entry.name)] = line
    return found


def children(of: int | None = None) -> list[int]:
    """Numbers of the processes that a process has started and not yet fetched; of this one: none is to stay but other tests'."""
    found = {int(number) for task in Path(f"/proc/{of or os.getpid()}/task").iterdir() for number in (task / "children").read_text().split()}
    return sorted(found - (set() if of else OTHERS))


OTHERS: set[int] = set()    # a browser, say, that other tests of this process use


@pytest.fixture(autouse=True)
def others():
    OTHERS.clear()
    OTHERS.update(children())


class TestConformance(Conformance):
    @pytest.fixture(autouse=True)
    def little_mercy(self, monkeypatch):
        monkeypatch.setattr(programs, "MERCY", 0.3)

    @contextlib.contextmanager
    def healthy(self, home):
        yield ExecPerformer(destination("/bin/cat", "-", cwd=home), os.environ)

    @contextlib.contextmanager
    def silent(self, home):
        mark = home / "reached"
        yield ExecPerformer(destination(SHELL, "-c", f": > {mark}; sleep 61 | sleep 62", cwd=home), os.environ), mark.exists

    @contextlib.contextmanager
    def echo(self, home):
        yield ExecPerformer(destination(SHELL, "-c", "env; exit 1", cwd=home, env={"TOKEN": SECRET}), os.environ)

    @contextlib.contextmanager
    def run(self, home, *argv, **more):
        yield ExecPerformer(destination(*argv, **{"cwd": home} | more), os.environ)

    def nothing_is_left(self, home):
        until(lambda: not processes(str(home)), seconds=LONG, what="no process of it is left")
        assert not children()

    troubles = {
        "not there": (lambda self, home: self.run(home, "/nowhere/program"), {"spawn"}, False),
        "not a program": (lambda self, home: self.run(home, "/etc/passwd"), {"spawn"}, False),
        "no directory": (lambda self, home: self.run(home, "/bin/true", cwd=home / "none"), {"spawn"}, False),
        "fails": (lambda self, home: self.run(home, "/bin/false"), {"exit"}, False),
        "crashes": (lambda self, home: self.run(home, SHELL, "-c", "kill -SEGV $$"), {"signal"}, False),
        "floods": (lambda self, home: self.run(home, "/usr/bin/yes"), {"timeout"}, False),
        "floods its errors": (lambda self, home: self.run(home, SHELL, "-c", "yes >&2"), {"timeout"}, False),
        "closes everything": (lambda self, home: self.run(home, SHELL, "-c", "exec <&- >&- 2>&-; sleep 63"), {"timeout"}, False),
        "too long an argument": (lambda self, home: self.run(home, "/bin/true", "x" * 200_000), {"spawn"}, True),
        "stops itself": (lambda self, home: self.run(home, SHELL, "-c", "kill -STOP $$"), {"timeout"}, False),
    }


# -- what it gets ----------------------------------------------------------------------------------

def test_the_body_byte_for_byte_and_fields_as_arguments(execute, tmp_path):
    body = bytes(range(256)) * 20_000       # 5 MB, more than any environment or pipe holds
    script = "import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest(), *sys.argv[1:], sep='|')"
    outcome = execute(python(script, "{source}", "{type}-{attempt}", "--id={id}", "{payload.none}", "literal {{type}"), work(body, is_json=False, number=3))
    assert outcome.ok and outcome.status == 0
    assert outcome.excerpt.decode() == f"{hashlib.sha256(body).hexdigest()}|calls|101-3|--id=evt_k3f9q2_7||literal {{type}}\n"


@pytest.mark.parametrize("value", ["a b", "$(id)", "`id`", "; rm -rf /", "a\nb", "ü\U0001f600", "'", '"', "*", ""])
def test_a_field_is_one_argument_whatever_it_holds(execute, value):
    outcome = execute(python("import sys; print(ascii(sys.argv[1:]))", "{payload.a}"), work(json.dumps({"a": value}).encode()))
    assert outcome.excerpt.decode().strip() == ascii([value])


@pytest.mark.parametrize("template, value", [("{payload.a}", "-rf"), ("{payload.a}", "--upload-pack=x"), ("{payload.none}{payload.a}", "-x"),
                                             ("{payload.a}", "-5"), ("a{payload.a}", "\0")])
def test_a_field_cannot_become_an_option_nor_cut_an_argument_short(execute, template, value):
    outcome = execute(destination("/bin/echo", template), work(json.dumps({"a": value}).encode()))
    assert (outcome.ok, outcome.cause, outcome.final) == (False, "template", True) and "argument 1" in outcome.note


def test_who_writes_the_hyphen_means_it(execute):
    assert execute(destination("/bin/echo", "-n", "-{payload.a}"), work(b'{"a":"-x"}')).excerpt == b"--x"


def test_little_of_our_environment_and_no_descriptor_of_ours(execute, tmp_path):
    script = "import os, json; print(json.dumps([dict(os.environ), sorted(map(int, os.listdir('/proc/self/fd')))[:4], os.getsid(0) == os.getpid(), os.getcwd()]))"
    given = {"PATH": "/bin:/usr/bin", "HOME": "/home/x", "HOOK_SECRET": SECRET, "NOTIFY_SOCKET": "/run/x", "LANG": "", "PYTHONPATH": "/evil"}
    variables, descriptors, leads, directory = json.loads(execute(python(script, cwd=tmp_path, env={"A": "b"}), given=given).excerpt)
    variables.pop("LC_CTYPE", None)     # Python's own
    assert variables == {"PATH": "/bin:/usr/bin", "HOME": "/home/x", "LANG": "C.UTF-8", "A": "b"}
    assert descriptors == [0, 1, 2, 3] and leads and directory == str(tmp_path)    # 3 is the listing itself


def test_signals_that_python_ignores_are_not_ignored_in_the_program(execute):
    outcome = execute(destination(SHELL, "-c", "yes | head -n 1; kill -PIPE $$"))
    assert outcome.cause == "signal" and "SIGPIPE" in outcome.note and outcome.excerpt == b"y\n"


# -- how it ends -----------------------------------------------------------------------------------

def test_the_exit_code_and_what_it_said(execute):
    outcome = execute(destination(SHELL, "-c", "echo out; echo err >&2; exit 7"))
    assert (outcome.ok, outcome.cause, outcome.status, outcome.note, outcome.excerpt) == (False, "exit", 7, "exit code 7", b"out\nerr\n")
    assert retried(outcome) and outcome.request == {"program": SHELL, "arguments": 2, "size": len(work().body)}


def test_of_much_output_the_beginning_and_the_end(execute):
    outcome = execute(python("print('first'); print('x' * 3_000_000); print('last')"))
    assert outcome.ok and outcome.truncated and len(outcome.excerpt) <= EXCERPT
    assert outcome.excerpt.startswith(b"first\n") and outcome.excerpt.endswith(b"x\nlast\n") and b"bytes left out" in outcome.excerpt


def test_a_program_need_not_read_its_input(execute):
    assert execute(destination("/bin/true"), work(b"x" * 2_000_000, is_json=False)).ok


def test_a_program_that_hears_sigterm_may_tidy_up(execute, tmp_path):
    script = "trap 'echo tidied; exit 0' TERM; echo began; while :; do sleep 0.05; done"
    outcome = execute(destination(SHELL, "-c", script), work(timeout=1.0))
    assert outcome.cause == "timeout" and not outcome.ok and "it was ended" in outcome.note
    assert outcome.excerpt.startswith(b"began\n") and outcome.excerpt.endswith(b"tidied\n")


def test_one_that_does_not_is_killed_with_all_that_it_has_started(execute, tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "MERCY", 0.3)
    script = f"trap '' TERM; setsid sh -c 'trap \"\" TERM; : {tmp_path}; sleep 64; sleep 64' & (sleep 65; : {tmp_path}) & while :; do sleep 0.05; done"
    outcome = execute(destination(SHELL, "-c", script), work(timeout=0.5))
    assert outcome.cause == "timeout" and "killed" in outcome.note
    assert not processes(str(tmp_path)) and not children()


def test_what_is_left_in_the_group_ends_with_the_program_but_not_what_has_left_it(execute, tmp_path):
    stay = tmp_path / "stay.py"
    stay.write_text("import sys, time; open(sys.argv[1], 'w').close(); time.sleep(66)")
    script = f"({sys.executable} {stay} one &) ; setsid {sys.executable} {stay} two & until [ -e one ] && [ -e two ]; do sleep 0.01; done"
    assert execute(destination(SHELL, "-c", script, cwd=tmp_path)).ok
    left = processes(str(stay))
    assert len(left) == 1 and all(line.strip().endswith("two") for line in left.values()), left
    for number in left:
        os.kill(number, signal.SIGKILL)


def test_programs_leave_nothing_behind_in_this_process(execute):
    execute(destination("/bin/true"))       # what a loop opens once

    async def many():
        performer = ExecPerformer(destination("/bin/cat"), os.environ)
        before = len(os.listdir("/proc/self/fd"))
        outcomes = await asyncio.gather(*(performer.perform(work()) for _ in range(10)))
        return outcomes, len(os.listdir("/proc/self/fd")) - before

    outcomes, more = asyncio.run(many())
    assert all(outcome.ok for outcome in outcomes) and more == 0 and not children()


SERVER = """
import asyncio, os, sys
from tests.tasks.test_execute import ExecPerformer, destination, work
print("up", flush=True)
asyncio.run(ExecPerformer(destination("/bin/sh", "-c", sys.argv[1]), os.environ).perform(work()))
"""


@pytest.mark.parametrize("how", ["server", "warden"])
def test_nothing_outlives_a_server_that_is_killed(tmp_path, how):
    """Neither the program, nor what it has started, nor what of that has left its group; whether the server is killed or the warden."""
    mark, stubborn = tmp_path / "reached", "trap '' TERM;"
    script = f"{stubborn} setsid sh -c '{stubborn} : {tmp_path}; sleep 67; sleep 67' & sh -c '{stubborn} : > {mark}; sleep 68; sleep 68'; sleep 69"
    server = subprocess.Popen([sys.executable, "-c", SERVER, script], cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    until(mark.exists, seconds=LONG, what="the program runs")
    victim = server.pid if how == "server" else children(server.pid)[0]
    os.kill(victim, signal.SIGKILL)
    if how == "server":
        server.wait()
        until(lambda: not processes(str(tmp_path)), seconds=LONG, what="everything has ended")
        return
    server.wait(LONG)       # only the program itself is certain to go: the kernel sees to that
    until(lambda: not [line for line in processes(str(tmp_path)).values() if "sleep 69" in line], seconds=LONG, what="the program has ended")
    for number in processes(str(tmp_path)):
        os.kill(number, signal.SIGKILL)
