"""The judge of pending work (the delivery machine of a log): holds every record about a task against what may be.

It knows nothing of the program's own folds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

ENDED = {"done", "failed", "cancelled"}


def verdict(records: Iterable[dict], *, limits: Mapping[str, int], schedules: Mapping[str, tuple[float, ...]] | None = None,
            all_ended: bool = True) -> list[str]:
    """What is wrong with the tasks in a log, in words; an empty list is an acquittal.

    ``limits``: target -> attempts that a task may have. ``schedules``: target -> the shortest pauses, in seconds,
    where the clock did not step. Attempts are 1..n without gaps; exactly one end, and no attempt after it; what has
    not ended says when it goes on; pauses are kept.
    """
    tasks, complaints = defaultdict(list), []
    for record in records:
        if record["kind"] in ("event.received", "task.made"):
            for place, target in enumerate(record.get("to", [])):
                tasks[f"tsk_{record['id'][4:]}_{place}"].append({"state": "made", "target": target})
        elif record["kind"] in ("task.attempted", "task.answered"):
            if record["task"] not in tasks and "." not in record["target"]:
                complaints.append(f"seq {record['seq']}: {record['task']} follows from no record")
            tasks[record["task"]].append(record)
        elif record["kind"] == "task.changed" and record["change"] == "cancel":
            tasks[record["task"]].append(record | {"state": "cancelled"})
    for name, story in tasks.items():
        complaints += _of_one(name, story, limits, schedules or {}, all_ended)
    return complaints


def _of_one(name: str, records: list[dict], limits, schedules, all_ended: bool) -> list[str]:
    found = []
    ends = [place for place, record in enumerate(records) if record["state"] in ENDED]
    if len(ends) > 1 or (ends and ends[0] != len(records) - 1):
        found.append(f"{name}: something happened after its end")
    if all_ended and not ends:
        found.append(f"{name}: never ended: {[record['state'] for record in records]}")
    attempts = [record for record in records if record.get("kind") == "task.attempted"]
    if [record["attempt"] for record in attempts] != list(range(1, len(attempts) + 1)):
        found.append(f"{name}: attempts {[record['attempt'] for record in attempts]}")
    if attempts and len(attempts) > limits[attempts[0]["target"]]:
        found.append(f"{name}: {len(attempts)} attempts")
    for earlier, later in zip(attempts, attempts[1:]):
        if "next_at" not in earlier:
            found.append(f"{name}: attempt {earlier['attempt']} does not say when it goes on")
        if earlier["target"] in schedules:
            least = schedules[earlier["target"]][earlier["attempt"] - 1]
            if (gap := _seconds(earlier["at"], later["began"])) < least - 0.002:
                found.append(f"{name}: attempt {later['attempt']} came after {gap:.3f} s, and not {least:.3f} s")
    return found


def _seconds(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
