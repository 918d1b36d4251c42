"""How fast events are accepted: verified, deduplicated and durable, against a handler that answers a constant."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Iterator

from tests.bench import load
from tests.bench.report import Row, median, milliseconds
from tests.bench.stage import Stage
from tests.bench.traffic import APPS, SECRET
from tests.bench.yardstick import BareServer, debian_webhook
from tests.process import REPOSITORY, ServerProcess, write_conf

APP = APPS[0]
PATH = f"/{APP}/webhooks"
SECONDS, MOST = 2, 14_000     # of one round
ROUNDS, SIDE_ROUNDS = 9, 3    # of the two that count; of the others
EXACT = 3_000                 # requests that are counted one by one


@contextmanager
def running(home: Path, *, uvloop: bool = True) -> Iterator[ServerProcess]:
    """A server for the hooks; ``uvloop=False`` hides that package from it."""
    write_conf(home, secret=SECRET, apps=[APP], segment_size="64MiB")
    env = {}
    if not uvloop:
        hidden = home / "hidden"
        hidden.mkdir()
        (hidden / "uvloop.py").write_text('raise ImportError("hidden for a measurement")\n')
        env["PYTHONPATH"] = f"{hidden}:{REPOSITORY}"
    server = ServerProcess(home, env=env).start()
    try:
        yield server
        assert server.stop() == 0, server.output()
    finally:
        server.kill()


def stored(server: ServerProcess) -> int:
    """Events in the log, counted in its files."""
    return sum(path.read_bytes().count(b'"kind":"event.received"') for path in (server.data / "log").glob("*.jsonl"))


def processor_seconds(pid: int) -> float:
    """CPU time that a process has used, all its threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Contest:
    """Rounds against several servers in turn, every request another body."""

    def __init__(self, stage: Stage):
        self.stage, self.results, self.skip = stage, {}, 0
        self.rounds = 1 if stage.quick else ROUNDS
        self.most, self.exact = (400, 400) if stage.quick else (MOST, EXACT)
        self.bodies = stage.bodies(self.rounds * self.most + self.exact)

    def round(self, ports: dict[str, tuple[int, str]]) -> None:
        for name, (port, path) in ports.items():
            if load.has_wrk() and not self.stage.quick:
                result = load.wrk(port, path, self.bodies, skip=self.skip, most=self.most, seconds=SECONDS)
            else:
                result = load.ours(port, path, self.bodies, skip=self.skip, count=min(self.most, 10_000))
            self.results.setdefault(name, []).append(result)
        self.skip += self.most

    def costs(self, pids: dict[str, int], before: dict[str, float]) -> str:
        """CPU time per request: what remains comparable on a busy machine."""
        return ", ".join(f"{name} {(processor_seconds(pid) - before[name]) / sum(r.requests for r in self.results[name]) * 1e6:.0f} µs"
                         for name, pid in pids.items())

    def ratio(self, name: str, to: str = "bare") -> float:
        """Against another one in the same round, the bare handler if not said; the median over the rounds."""
        return median(ours.rate / bare.rate for ours, bare in zip(self.results[name], self.results[to]))

    def rate(self, name: str) -> float:
        return median(result.rate for result in self.results[name])

    def acked(self, name: str) -> int:
        return sum(result.requests - result.errors for result in self.results[name])


def measure(stage: Stage) -> list[Row]:
    with ExitStack() as stack:
        fast = stack.enter_context(running(stage.home("accept")))
        bare = stack.enter_context(BareServer())
        debian = stack.enter_context(debian_webhook(stage.home("debian")))
        ports, others = {"bare": (bare.port, PATH), "ours": (fast.port, PATH)}, {}
        pids = {"bare": bare.pid, "ours": fast.process.pid}
        if find_spec("uvloop"):
            slow = stack.enter_context(running(stage.home("accept"), uvloop=False))
            bare_fast = stack.enter_context(BareServer("uvloop"))
            others = {"ours, asyncio": (slow.port, PATH), "bare, uvloop": (bare_fast.port, PATH)}
            pids |= {"ours, asyncio": slow.process.pid, "bare, uvloop": bare_fast.pid}
        if debian:
            others["webhook"] = (debian, "/hooks/bench")
        contest, before = Contest(stage), {name: processor_seconds(pid) for name, pid in pids.items()}
        for number in range(contest.rounds):
            contest.round(ports | others if number < SIDE_ROUNDS else ports)
        costs = contest.costs(pids, before)
        rows = _rows(contest, f"{_exact(contest, fast)}; CPU per request: {costs}")
        return rows + [_latency(stage, contest.rate("ours") / 2, fast, bare)]


def _exact(contest: Contest, server: ServerProcess) -> str:
    """The log holds what was acknowledged: no less, and no more than what was cut off at the end of a round."""
    acked, before = contest.acked("ours"), stored(server)
    cut_off = load.CONNECTIONS * len(contest.results["ours"]) if load.has_wrk() and not contest.stage.quick else 0
    assert acked <= before <= acked + cut_off, f"{acked} acknowledged, {before} stored"
    result = load.ours(server.port, PATH, contest.bodies, skip=contest.skip, count=contest.exact)
    assert result.errors == 0 and stored(server) == before + contest.exact, "the log is not what was acknowledged"
    return f"{acked + contest.exact:,} acknowledged, {before + contest.exact:,} stored"


def _rows(contest: Contest, counted: str) -> list[Row]:
    ratio, first = contest.ratio("ours"), contest.results["ours"]
    rows = [
        Row("accept, durable, verified, deduplicated, 64 connections", "≥ 1.0 × bare Tornado handler", f"{ratio:.2f} ×", ratio >= 1.0,
            f"{contest.rate('ours'):,.0f} against {contest.rate('bare'):,.0f} per second, medians of {len(first)} rounds in turn; {counted}")]
    if "bare, uvloop" in contest.results:
        rows += [Row("the same without uvloop", "", f"{contest.ratio('ours, asyncio'):.2f} ×"),
                 Row("bare Tornado handler with uvloop", "", f"{contest.ratio('bare, uvloop'):.2f} ×")]
    if "webhook" in contest.results:
        rows.append(Row("Debian's webhook, /bin/true per request", "", f"{contest.ratio('webhook'):.2f} ×",
                        note="it answers before the command has run, and keeps nothing"))
    return rows


def _latency(stage: Stage, rate: float, server: ServerProcess, bare: BareServer) -> Row:
    """Both at the same steady rate, in turn; requests are due at fixed times whatever the answers do."""
    count = 300 if stage.quick else int(rate * 4)
    rounds = 1 if stage.quick else 3
    bodies = stage.bodies(count * rounds)
    results = {"bare": [], "ours": []}
    for number in range(rounds):
        for name, port in (("bare", bare.port), ("ours", server.port)):
            results[name].append(load.ours(port, PATH, bodies, skip=number * count, count=count, rate=rate))
    p50, p99 = (median(getattr(r, share) for r in results["ours"]) - median(getattr(r, share) for r in results["bare"])
                for share in ("p50", "p99"))
    return Row("added latency at half of that load", "p99 ≤ 10 ms", f"p50 {milliseconds(p50)}, p99 {milliseconds(p99)}", p99 <= 0.010,
               f"at {rate:,.0f} per second; longest {milliseconds(max(r.longest for r in results['ours']))}, "
               f"of the bare handler {milliseconds(max(r.longest for r in results['bare']))}")
