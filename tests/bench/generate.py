"""Writes the log of a store with millions of events, straight through ``core.records``: thirty days of traffic.

The log is what the server would have written; everything derived is then made from it by
``hookserver rebuild``, which is itself one of the measurements.
"""

from __future__ import annotations

import os
import resource
import time
from functools import partial
from multiprocessing import Pool
from pathlib import Path

from hookserver.core.records import event_draft, iso_ms
from hookserver.store.datadir import DataDir, write_format
from hookserver.store.disk import Disk
from hookserver.store.segments import segment_name
from tests.bench.report import Row
from tests.bench.traffic import APPS, NAMES, SECRET, slice_of
from tests.process import ServerProcess, write_conf

DAYS, DAY_MS = 30, 86_400_000
SEGMENT = 64 << 20
STORE_ID = "bench0"
HEADERS = (("Host", "hooks.example.com"), ("Content-Type", "application/json"), ("X-Forwarded-For", "203.0.113.7"),
           ("Agora-Signature", "d1c3a9c8" * 5), ("Agora-Signature-V2", "5e1f04a77c60b2d9" * 4))


def write_store(home: Path, events: int) -> ServerProcess:
    """A home with conf.yaml and a log of ``events`` events that ends about now. Nothing derived yet."""
    write_conf(home, secret=SECRET, apps=APPS, segment_size="64MiB")
    server = ServerProcess(home)
    paths = DataDir(server.data)
    paths.log.mkdir(parents=True)
    write_format(Disk(), paths, STORE_ID)
    sessions = events // 10 // DAYS
    start = int(time.time()) // 3600 * 3_600_000 - DAYS * DAY_MS
    with Pool(os.cpu_count()) as pool:
        pool.map(partial(_write_day, paths.log, sessions, start), range(DAYS), chunksize=1)
    return server


def _write_day(log: Path, sessions: int, start: int, day: int) -> None:
    seq = day * sessions * 10 + 1
    target, size, date = None, 0, ""
    for notice in slice_of(day, start + day * DAY_MS, DAY_MS, sessions):
        today = iso_ms(notice.at)[:10]
        if target is None or size >= SEGMENT or today > date:
            if target is not None:
                target.close()
            date, size = max(today, date), 0
            target = open(log / segment_name(date, seq), "wb", buffering=1 << 20)
        line = _draft(notice).line(seq, seq - (seq - 1) % 10, notice.at, STORE_ID)
        size += target.write(line)
        seq += 1
    target.close()


def _draft(notice):
    return event_draft(source="calls", provider="agora", type=NAMES[notice.product, notice.event], method="POST",
                       path=f"/{notice.app}/webhooks", client="203.0.113.7", headers=HEADERS, body=notice.body, is_json=True,
                       key=f'["{notice.app}",{notice.product},"{notice.notice}"]', app=notice.app,
                       checks={"signature": "Agora-Signature-V2 matches secret 1"})


def rebuild(server: ServerProcess, events: int) -> Row:
    """Everything derived from nothing, timed from outside: the start of the interpreter is in it."""
    began, used = time.perf_counter(), processor_seconds_of_children()
    done = server.run("rebuild", timeout=3600)
    seconds, used = time.perf_counter() - began, processor_seconds_of_children() - used
    assert done.returncode == 0, done.stdout + done.stderr
    rate = events / seconds
    return Row("rebuild of everything derived", "≥ 100,000 events/s", f"{rate:,.0f} events/s", rate >= 100_000,
               f"{events:,} events in {seconds:.1f} s, {used / events * 1e6:.1f} µs of CPU each")


def processor_seconds_of_children() -> float:
    """CPU time of all processes that we started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
