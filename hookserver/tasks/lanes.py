"""All lanes, and what they share: a number of attempts at a time.

Every configured target may always make one attempt, whatever the others do; more of them come out of what is shared. So
targets that hang, however many they are, never keep a healthy one from going on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hookserver.core.guard import parse_url
from hookserver.core.tasks import Task
from hookserver.tasks.lane import Lane, LaneSpec

MANY = 256      # lanes of origins; above that, those with nothing to do are let go


class Lanes:
    """Finds the lane of a task. ``shared``: attempts at a time beside each target's own one."""

    def __init__(self, specs: Iterable[LaneSpec], shared: int):
        self.specs = {spec.target: spec for spec in specs}
        self.disabled: set[str] = set()
        self._free = shared
        self._lanes: dict[str, Lane] = {spec.target: Lane(spec) for spec in self.specs.values() if not spec.by_origin}
        self._place: dict[str, Lane] = {}       # task -> its lane, while it waits
        self._hungry: dict[Lane, None] = {}     # lanes that could go on if there were more to share

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def of(self, task_id: str) -> Lane | None:
        """The lane in which a task waits."""
        return self._place.get(task_id)

    def put(self, task: Task, due: float) -> Lane | None:
        """Let a task wait in its lane. None: nothing is configured under the name of its target."""
        lane = self._lane_for(task)
        if lane is not None:
            lane.put(task.id, due)
            self._place[task.id] = lane
        return lane

    def forget(self, task_id: str) -> None:
        """A task waits no more."""
        lane = self._place.pop(task_id, None)
        if lane is not None:
            lane.forget(task_id)

    def take(self, lane: Lane, now: float) -> str | None:
        """The next task of a lane, if it may begin now."""
        shares = self._shares(lane)
        if shares and not self._free:
            if lane.wake(now) == now:
                self._hungry[lane] = None
            return None
        task_id = lane.take(now)
        if task_id is not None:
            self._place.pop(task_id, None)
            self._free -= shares
        return task_id

    def hungry(self, lane: Lane) -> bool:
        """Whether a lane waits for others to end their attempts."""
        return lane in self._hungry

    def ended(self, lane: Lane, task_id: str, now: float, good: bool | None, asked: float | None) -> list[Lane]:
        """An attempt has ended. Gives the lanes that may go on now because of that."""
        lane.ended(task_id, now, good, asked)
        if not self._shares(lane):
            return []           # it was the lane's own
        self._free += 1
        waiting = list(self._hungry)
        self._hungry.clear()
        return waiting

    def see_disabled(self, targets: set[str]) -> list[Lane]:
        """These targets are disabled now, all others are not. Gives the lanes for which that is new."""
        changed = [lane for lane in self._lanes.values() if lane.disabled != (lane.spec.target in targets)]
        self.disabled = targets
        for lane in changed:
            lane.disabled = not lane.disabled
            if not lane.disabled:
                lane.forgive()
        return changed

    def _shares(self, lane: Lane) -> bool:
        """Whether the next attempt of a lane, or the one that has just ended, is out of what is shared."""
        return bool(lane.running) or lane.spec.by_origin

    def _lane_for(self, task: Task) -> Lane | None:
        spec = self.specs.get(task.target)
        if spec is None:
            return None
        name = f"{task.target} {origin(task.url)}" if spec.by_origin else task.target
        lane = self._lanes.get(name)
        if lane is None:
            if len(self._lanes) > MANY:
                self._lanes = {key: one for key, one in self._lanes.items() if not (one.spec.by_origin and one.idle)}
            lane = self._lanes[name] = Lane(spec)
            lane.disabled = task.target in self.disabled
        return lane


def origin(url: str) -> str:
    """Scheme, host and port; "" for what is no URL that anything will be sent to."""
    try:
        return parse_url(url).origin
    except ValueError:
        return ""
