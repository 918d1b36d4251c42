"""Jobs in rows and lists, and what a message is made of when a webhook did not come."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json

import msgspec
import pytest

from hookserver.errors import Refused
from hookserver.rollups.jobs import JobRow, Jobs, partition
from hookserver.services.job_polling import notification
from hookserver.services.job_rows import JobRows
from hookserver.services.job_samples import sample_jobs
from hookserver.store.disk import Disk
from hookserver.store.rollup_files import RollupFiles

DAYS = ("2026-11-20", "2026-11-21", "2026-11-22")


def job_id(number: int) -> str:
    return f"{20777 + number % 3:04x}0000-0000-4000-8000-{number:012x}"     # 20777: 2026-11-20


def row(number: int) -> JobRow:
    status = ("completed", "failed", "partially_completed")[number % 7 % 3]
    return JobRow(number + 1, job_id(number), "jobs", f"evt_st_{number}", status, 1, 1, 0, "", "2026-11-20T00:00:00.000Z", None,
                  "2026-11-22T00:00:00.000Z", "", (number + 1,))


@pytest.fixture
def rows(tmp_path):
    files = RollupFiles(Disk(), tmp_path)
    for number in range(3000):
        files.append(partition("jobs", DAYS[number % 3]), msgspec.json.encode(row(number)) + b"\n")
    rows = JobRows(lambda: Jobs("st"), lambda: files)
    yield rows
    rows.close()


def pages(rows: JobRows, status: str | None, limit: int) -> list[int]:
    async def all_of_them():
        seen, cursor = [], None
        while True:
            found, cursor = await rows.page(status=status, limit=limit, cursor=cursor)
            seen += [one.seq - 1 for one in found]
            if cursor is None:
                return seen
    return asyncio.run(all_of_them())


def test_a_row_is_found_by_the_day_in_its_id(rows):
    for number in (0, 1, 2, 1500, 2999):
        assert asyncio.run(rows.find(job_id(number))) == row(number)
    assert asyncio.run(rows.find(job_id(3001))) is None and asyncio.run(rows.find("x")) is None


@pytest.mark.parametrize("hurry", [False, True])
@pytest.mark.parametrize("status", [None, "failed"])
def test_pages_show_each_row_once_newest_day_first(rows, status, hurry):
    if hurry:
        rows = JobRows(rows._fold, rows._files, itertools.count().__next__)     # the time of a page is over at each look at the clock
    wanted = [number for place in (2, 1, 0) for number in reversed(range(place, 3000, 3)) if status in (None, row(number).status)]
    assert pages(rows, status, 700) == wanted


def test_bad_cursors_are_refused(rows):
    for cursor in ("", "x", "2026-11-22", "2026-11-22.0", "2026-11-22.-1"):
        with pytest.raises(Refused):
            asyncio.run(rows.page(status=None, limit=1, cursor=cursor))


def test_a_message_is_made_of_whatever_a_service_says():
    told = notification({"job_id": "j", "status": "completed", "total_lots": 3, "completed_lots": 2, "failed_lots": 1, "webhook_url": "u",
                         "completed_at": "2026-11-22T03:45:38.799Z"}, "now", "/in", b"secret")
    assert json.loads(told.body) == {"job_id": "j", "status": "completed", "timestamp": "2026-11-22T03:45:38Z", "total_lots": 3,
                                     "completed_lots": 2, "failed_lots": 1, "webhook_url": "u", "results_available": True}
    assert told.headers["X-Signature"] == hmac.new(b"secret", told.body, hashlib.sha256).hexdigest()
    odd = notification({"status": "failed", "total_lots": "many", "timestamp": 7}, "2026-11-22T00:00:00.000Z", "/in", None)
    assert json.loads(odd.body)["timestamp"] == "2026-11-22T00:00:00Z" and "X-Signature" not in odd.headers


def test_samples_are_the_same_for_the_same_seed():
    first, second = (next(sample_jobs(b"s", webhook_url="http://x/", seed=7)) for _ in range(2))
    value = json.loads(first.body)
    assert first == second and value["signature"] == hmac.new(b"s", json.dumps(value["lots"]).encode(), hashlib.sha256).hexdigest()
