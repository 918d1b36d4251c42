"""Any sequence of appends, rotations, faults, crashes, restarts and retention, against a plain list."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hookserver.core.records import raw_body
from hookserver.errors import StorageUnavailable, StorePoisoned
from hookserver.store.datadir import DataDir
from hookserver.store.segments import remove_segments
from tests.store.fake_disk import FakeDisk
from tests.store.logs import DAY, Clock, Driver

DATA = Path("/data")
BODIES = st.lists(st.binary(max_size=300), min_size=1, max_size=4)


class LogMachine(RuleBasedStateMachine):
    """``model`` is the list of bodies that must be there, the first one with seq ``first``.

    ``doubtful`` are bodies that were answered 503 or not at all, in order: after a restart, some of
    the first of them may follow.
    """

    @initialize(segment_size=st.sampled_from([400, 1500, 1 << 20]))
    def begin(self, segment_size):
        self.disk, self.clock, self.segment_size = FakeDisk(), Clock(), segment_size
        self.first, self.model, self.doubtful = 1, [], []
        self.driver = None
        self.start()

    def start(self):
        floor = self.first + len(self.model) - 1
        self.driver = Driver(DATA, self.disk, clock=self.clock, segment_size=self.segment_size, floor_seq=floor, settled=True)
        log = self.driver.log
        extra = [raw_body(line) for _, line in self.driver.reader.scan(floor + 1)]
        assert extra == self.doubtful[:len(extra)]
        self.model += extra
        self.doubtful = []
        assert log.last_seq == log.durable_seq == self.first + len(self.model) - 1

    @property
    def log(self):
        return self.driver.log

    @rule(bodies=BODIES)
    def append(self, bodies):
        results = self.driver.append(*bodies)
        if self.log.status == "poisoned":
            assert all(isinstance(result, StorePoisoned) for result in results)
        else:
            before = len(self.model)
            self.model += bodies
            assert [result.seq for result in results] == [self.first + n for n in range(before, len(self.model))]

    @rule(bodies=BODIES, short=st.booleans())
    def append_without_room(self, bodies, short):
        poisoned = self.log.status == "poisoned"
        self.disk.fail(1, errno.ENOSPC, only="write", short=short)
        results = self.driver.append(*bodies)
        self.disk.heal()
        assert all(isinstance(result, StorePoisoned if poisoned else StorageUnavailable) for result in results)

    @rule(bodies=BODIES)
    def append_with_a_failing_sync(self, bodies):
        if self.log.status != "poisoned":
            self.doubtful = list(bodies)
        self.disk.fail(1, errno.EIO, only="datasync")
        assert all(isinstance(result, StorePoisoned) for result in self.driver.append(*bodies))
        self.disk.heal()

    @rule(days=st.integers(-3, 3))
    def set_the_clock(self, days):
        self.clock.at_ms += days * DAY

    @rule()
    def restart(self):
        self.driver.close()
        self.disk = self.disk.killed()
        self.start()

    @rule(seed=st.integers(0, 1 << 16), power=st.booleans(), bodies=BODIES, step=st.integers(1, 6))
    def crash(self, seed, power, bodies, step):
        """While these are being written, at some step of that."""
        if self.log.status != "poisoned":
            self.disk.die(step)
            results = self.driver.append(*bodies)
            acknowledged = [body for body, result in zip(bodies, results) if not isinstance(result, Exception)]
            self.model += acknowledged
            if not acknowledged:
                self.doubtful = list(bodies)
        self.driver.close()
        self.disk = self.disk.power_cut(random.Random(seed)) if power else self.disk.killed()
        self.start()

    @precondition(lambda self: self.driver and len(self.log.catalog.segments) > 1)
    @rule(count=st.integers(1, 3))
    def retain(self, count):
        gone = self.log.retire(min(count, len(self.log.catalog.segments) - 1))
        remove_segments(self.disk, DataDir(DATA), [info.name for info in gone])
        kept = self.log.catalog.first_seq
        assert gone[-1].last_seq == kept - 1
        del self.model[:kept - self.first]
        self.first = kept

    @rule(before=st.integers(0, 60))
    def read_some(self, before):
        reader, last = self.driver.reader, self.first + len(self.model) - 1
        wanted = list(enumerate(self.model, self.first))
        assert [(seq, raw_body(line)) for seq, line in reader.scan_back(before)] == [pair for pair in wanted[::-1] if pair[0] < before]
        for seq in range(max(1, before - 3), before + 3):
            line = reader.read(seq)
            assert line is None if not self.first <= seq <= last else raw_body(line) == self.model[seq - self.first]

    @invariant()
    def the_log_is_the_list(self):
        if self.driver is None:
            return
        assert [raw_body(line) for _, line in self.driver.reader.scan(1)] == self.model
        assert self.log.durable_seq == self.first + len(self.model) - 1
        infos = self.log.catalog.segments
        assert sum(info.count for info in infos) == len(self.model)
        assert [info.date for info in infos] == sorted(info.date for info in infos)

    def teardown(self):
        if self.driver is not None:
            self.driver.close()


TestLogMachine = pytest.mark.logs("")(LogMachine.TestCase)
TestLogMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None,
                                   suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
