"""The sender's side of a drill: what was sent, and what the server promised about it.

The ledger lives in the memory of the test, so that nothing that happens to the server or its disk
can touch it. Outcome of an entry: the HTTP status, or None when the connection ended first.
"""

from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass, field

from tests.wire import Wire, agora_post

APP, SECRET = "drill", "a secret for the drill"


@dataclass
class Entry:
    """One notice: its body and the outcome of every time it was sent, in order."""

    notice: str
    body: bytes
    outcomes: list[int | None] = field(default_factory=list)

    @property
    def acked(self) -> bool:
        return any(status is not None and 200 <= status < 300 for status in self.outcomes)

    @property
    def refused(self) -> bool:
        """Answered 4xx each time: the log must not have it."""
        return bool(self.outcomes) and all(status is not None and 400 <= status < 500 for status in self.outcomes)


class Ledger:
    """Every notice of a drill. Safe to use from several threads."""

    def __init__(self, seed: int, *, app: str = APP, secret: str = SECRET):
        self.entries: dict[str, Entry] = {}
        self.complaints: list[str] = []
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._seed, self._app, self._secret = seed, app, secret

    def draw(self, *, again: float = 0.05) -> Entry:
        """A new notice, or (with the probability ``again``) one that was sent before."""
        with self._lock:
            if self.entries and self._random.random() < again:
                return self.entries[self._random.choice(list(self.entries)[-500:])]
            entry = Entry(*notice(self._random, f"{self._seed}:{len(self.entries)}:{self._random.getrandbits(32):x}"))
            self.entries[entry.notice] = entry
            return entry

    def send(self, wire: Wire, entry: Entry) -> int | None:
        """Send a notice and write down what became of it."""
        before = entry.acked
        try:
            status, headers, body = wire.ask(agora_post(self._app, self._secret, entry.body))
        except OSError:
            entry.outcomes.append(None)
            return None
        entry.outcomes.append(status)
        self._judge_answer(entry, before, status, headers, body)
        return status

    def open(self) -> list[Entry]:
        """Entries without a promise: a sender would send these again."""
        return [entry for entry in self.entries.values() if not entry.acked]

    def _judge_answer(self, entry: Entry, acked_before: bool, status: int, headers: dict, body: bytes) -> None:
        if status == 200:
            duplicate = json.loads(body)["duplicate"]
            if acked_before and not duplicate:
                self.complaints.append(f"{entry.notice}: acked before, and taken as new")
        elif status != 503:
            self.complaints.append(f"{entry.notice}: answered {status} {body[:200]!r}")
        elif "retry-after" not in headers:
            self.complaints.append(f"{entry.notice}: 503 without Retry-After")


class Load:
    """Some senders, one connection each, sending one notice after the other until told to stop or cut off.

    ``stop_on`` is the status after which a sender gives up (503 in drills of a failing disk), ``most``
    the number of notices in the ledger after which all of them have done enough.
    """

    def __init__(self, ledger: Ledger, port: int, *, senders: int = 6, again: float = 0.05,
                 stop_on: int | None = None, most: int = 1_000_000):
        self.ledger, self.again, self.stop_on, self.most = ledger, again, stop_on, most
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(port,), daemon=True) for _ in range(senders)]
        for thread in self._threads:
            thread.start()

    def _run(self, port: int) -> None:
        try:
            wire = Wire(port)
        except OSError:
            return
        with wire:
            while not self._stop.is_set() and len(self.ledger.entries) < self.most:
                status = self.ledger.send(wire, self.ledger.draw(again=self.again))
                if status is None or status == self.stop_on:
                    return

    def stop(self) -> None:
        """No new sending; wait until what is in flight has been answered."""
        self._stop.set()
        self.wait()

    def wait(self, seconds: float = 30) -> None:
        """Until every sender has ended."""
        for thread in self._threads:
            thread.join(seconds)
            assert not thread.is_alive(), f"a sender got neither an answer nor an end within {seconds:g} s"


def resend(ledger: Ledger, port: int) -> list[str]:
    """Send everything that has no promise once more. Returns the notices that still got none."""
    with Wire(port) as wire:
        for entry in ledger.open():
            ledger.send(wire, entry)
    return [entry.notice for entry in ledger.open()]


def notice(rng: random.Random, name: str) -> tuple[str, bytes]:
    """A notice in one of the layouts that senders use; some of them cannot stand in one line as they are."""
    value = {"noticeId": name, "productId": 1, "eventType": rng.choice([103, 104, 105, 106, 111, 112]),
             "notifyMs": 1_700_000_000_000 + rng.randrange(10**9),
             "payload": {"channelName": rng.choice(["lobby", "über/αβγ", "a\"b\\c", "💬"]), "uid": rng.randrange(1, 50),
                         "clientSeq": rng.randrange(10**12, 10**13), "ts": 1_700_000_000 + rng.randrange(10**6),
                         "platform": 1, "reason": 1, "duration": rng.randrange(3600),
                         "account": "x" * rng.choice([0, 3, 3, 3, 500])}}
    text = rng.choice([
        lambda: json.dumps(value, separators=(",", ":")),
        lambda: json.dumps(value, ensure_ascii=False),
        lambda: json.dumps(value, indent=1).replace("\n", "\r\n") + "\n",
        lambda: json.dumps(value, indent="\t"),
        lambda: "  " + json.dumps(value, separators=(" , ", "\t:\t")) + " ",
    ])()
    return name, text.encode()
