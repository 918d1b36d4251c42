"""Stands between the server and one program, so that nothing of the program outlives the server, however that ends.

A process of its own, started by ``programs.py``: ``warden.py CONTROL DIRECTORY PROGRAM [ARGUMENT]...``, with standard
input, output and errors meant for the program. CONTROL is a socket. From the server comes a byte: end the program,
with SIGTERM; the end of file means that the server is gone or wants no more. To the server goes one word with a number:
``exit 3``, ``signal 9``, or why there is no program: ``directory 2``, ``program 2`` with the errno.

The program leads a session of its own. Whatever it starts stays our descendant, because the kernel hands orphans to us
(PR_SET_CHILD_SUBREAPER): so all of it can be found and killed. Should we be killed, the kernel kills the program
(PR_SET_PDEATHSIG, which holds for the thread that forked: there is only one here, which the server could not promise).

It starts in some 20 ms, most of which is the interpreter; so it imports as little as can be, and nothing of ours.
"""

import ctypes
import os
import select
import sys

SET_PDEATHSIG, SET_CHILD_SUBREAPER = 1, 36      # linux/prctl.h
SIGKILL, SIGPIPE, SIGTERM, SIGXFSZ = 9, 13, 15, 25
MERCY_MS = 500      # between SIGTERM and SIGKILL when the server is gone
REAP_MS = 1000      # how often orphans that have ended are fetched
ROUNDS = 100        # of killing: what forks faster than that is not ours to win against

_libc = ctypes.CDLL(None, use_errno=True)


def main(control: int, directory: str, argv: list[str]) -> None:
    """Runs ``argv`` to its end, reports, and leaves nothing behind in its group."""
    os.set_inheritable(control, False)
    _libc.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    told, tell = os.pipe()
    program = os.fork()
    if program == 0:
        _become(tell, directory, argv)
    os.close(tell)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    trouble = os.read(told, 100)
    if trouble:
        _say(control, trouble)
        return
    status, by_itself = _watch(control, program)
    _signal_group(program, SIGKILL)
    if not by_itself:
        _kill_all()     # what has left its group, too
    if status is None:
        return
    code = os.waitstatus_to_exitcode(status)
    _say(control, b"exit %d" % code if code >= 0 else b"signal %d" % -code)
    _fetch_group(program)


def _become(tell: int, directory: str, argv: list[str]) -> None:
    """In the child: the program takes our place, or its number of the error is told."""
    step = b"directory"
    try:
        warden = os.getppid()
        os.setsid()
        _libc.prctl(SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        if os.getppid() != warden:
            os._exit(127)
        for ignored in (SIGPIPE, SIGXFSZ):      # Python ignores them, and that would be inherited
            _libc.signal(ignored, None)
        os.chdir(directory)
        step = b"program"
        os.execv(argv[0], argv)
    except OSError as error:
        os.write(tell, b"%b %d" % (step, error.errno))
    finally:
        os._exit(127)


def _watch(control: int, program: int) -> tuple[int | None, bool]:
    """The program's wait status, None when it has not ended although it was to; and whether it ended without being asked to."""
    end = os.pidfd_open(program)
    poll = select.poll()
    poll.register(end, select.POLLIN)
    poll.register(control, select.POLLIN)
    asked = gone = False
    while True:
        ready = [descriptor for descriptor, _ in poll.poll(MERCY_MS if gone else REAP_MS)]
        status = _reap(program)
        if status is not None:
            return status, not (asked or gone)
        if control in ready:
            if _byte(control):
                asked = True
                _signal_group(program, SIGTERM)
                continue
            poll.unregister(control)
            if asked:
                return None, False
            gone = True
            _signal_group(program, SIGTERM)
        elif gone and not ready:
            return None, False


def _byte(control: int) -> bytes:
    try:
        return os.read(control, 1)
    except OSError:
        return b""


def _reap(program: int) -> int | None:
    """Fetches what has ended. Gives the program's status if it is among that."""
    found = None
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == program:
                found = status
    except ChildProcessError:
        pass
    return found


def _fetch_group(program: int) -> None:
    """The rest of the group has just been killed: no process of it stays behind as a zombie."""
    try:
        while True:
            os.waitpid(-program, 0)
    except ChildProcessError:
        pass


def _signal_group(program: int, number: int) -> None:
    try:
        os.killpg(program, number)
    except (ProcessLookupError, PermissionError):
        pass


def _kill_all() -> None:
    for _ in range(ROUNDS):
        found = _descendants()
        if not found:
            break
        for pid in found:
            try:
                os.kill(pid, SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        select.poll().poll(5)
    _reap(0)


def _descendants() -> list[int]:
    """All processes that descend from this one and have not ended."""
    children: dict[int, list[int]] = {}
    ended = set()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()     # a name may hold anything, a bracket too
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(name))
        if fields[0] in (b"Z", b"X"):
            ended.add(int(name))
    found, look = [], [os.getpid()]
    while look:
        these = children.get(look.pop(), [])
        found += these
        look += these
    return [pid for pid in found if pid not in ended]


def _say(control: int, words: bytes) -> None:
    try:
        os.write(control, words)
    except OSError:
        pass


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
    os._exit(0)
