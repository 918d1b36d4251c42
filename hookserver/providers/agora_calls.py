"""Imagined calls: the notices that Agora would send while people meet in channels.

Pure: the source of randomness and the time are arguments. The same random source and the same
number of channels give the same life, so a history can be laid out twice: once to learn how long
it takes, once to place it so that it ends now.

Shapes follow Agora's pages "Channel event types" and "Cloud Recording callback events" (media push and pull: see
``agora_streams``): ``ts`` is in Unix seconds, ``notifyMs`` in Unix milliseconds, ``duration`` in seconds.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from hookserver.providers.agora_streams import BEGINNING, END, PULL, PUSH, Stream

NAMES = (
    "daily-standup", "math-101", "support-desk", "book-club", "town-hall", "café-crème", "yoga at noon",
    "会议室-3", "design/review", "band-practice", "night-shift", "chess", "open-mic", "onboarding", "sales-eu",
)
PEOPLE = ("ada", "grace", "linus", "margaret", "edsger", "barbara", "donald", "radia", "ken", "frances", "", "")
PLATFORMS = (1, 2, 2, 5, 7, 7, 7, 8)
REASONS = (1,) * 14 + (2, 2, 3, 4, 5, 10, 12, 999)

REGULARS = 15  # people of a channel who come again
RETURNS = 0.5  # share of joins that are theirs

JOIN_GAP, STAY, LIFE, PAUSE = 35.0, 240.0, 900.0, 60.0  # means, seconds


@dataclass
class _Person:
    uid: int
    account: str
    platform: int
    sequence: int
    host: bool = False
    joined: float = 0.0


@dataclass
class _Channel:
    name: str
    communication: bool
    recorded: bool
    streamed: int | None = None  # PUSH or PULL
    session: str = ""
    stream: Stream | None = None
    ends: float = 0.0
    present: dict[int, _Person] = field(default_factory=dict)
    regulars: list[_Person] = field(default_factory=list)


class Calls:
    """A number of channels, each with its life: created, joined, left, destroyed, and again.

    ``random`` is an object like ``random.Random``.
    """

    def __init__(self, random, *, channels: int):
        self._random = random
        self._now = 0.0  # imagined seconds since the beginning
        self._serial = 0
        self._notices = random.randrange(1_000_000, 9_000_000)
        self._agenda: list[tuple[float, int, Callable[..., dict | None], tuple]] = []
        for number in range(channels):
            name = NAMES[number % len(NAMES)]
            if number >= len(NAMES):
                name = f"{name}-{number // len(NAMES) + 1}"
            channel = _Channel(name, communication=number % 3 == 1, recorded=number % 4 == 0,
                               streamed={1: PULL, 2: PUSH}.get(number % 4))
            self._later(random.random() * 20, self._created, channel)

    @property
    def elapsed(self) -> float:
        """Imagined seconds lived so far."""
        return self._now

    def next(self, present: Callable[[float], float]) -> bytes:
        """The next notice as the body of a request.

        ``present`` turns imagined seconds since the beginning into Unix seconds.
        """
        while True:
            self._now, _, happens, about = heapq.heappop(self._agenda)
            at = present(self._now)
            notice = happens(at, *about)
            if notice is not None:
                return json.dumps(notice, ensure_ascii=False, separators=(",", ":")).encode()

    def _later(self, seconds: float, happens: Callable[..., dict | None], *about) -> None:
        self._serial += 1
        heapq.heappush(self._agenda, (self._now + seconds, self._serial, happens, about))

    def _spell(self, mean: float) -> float:
        return 2.0 + self._random.expovariate(1 / mean)

    # What happens, one method each: (Unix seconds, …) -> notice, or None when nothing is told.

    def _created(self, at: float, channel: _Channel) -> dict:
        channel.session = f"{self._random.getrandbits(128):032X}"
        channel.ends = self._now + self._spell(LIFE)
        self._later(1, self._joins, channel, True)
        if channel.recorded:
            self._later(3, self._recording, channel, 40, 0)
        if channel.streamed:
            channel.stream = Stream(channel.streamed, channel.name, f"{self._random.getrandbits(128):032x}", int(at),
                                    self._random.randrange(1, 2**32))
            self._stream_goes_on(channel, channel.stream, 0)
        return self._notice(at, 1, 101, channel, {"channelName": channel.name, "ts": int(at)})

    def _joins(self, at: float, channel: _Channel, first: bool) -> dict | None:
        if self._now > channel.ends:
            self._empties(channel)
            return None
        self._later(self._spell(JOIN_GAP), self._joins, channel, False)
        random = self._random
        person = self._someone(channel)
        person.host = first or channel.communication or random.random() < 0.3
        person.joined = at
        channel.present[person.uid] = person
        self._later(self._spell(STAY), self._leaves, channel, person)
        if not channel.communication and random.random() < 0.15:
            self._later(self._spell(STAY / 4), self._switches, channel, person)
        event = 107 if channel.communication else 103 if person.host else 105
        return self._notice(at, 1, event, channel, self._personal(at, channel, person))

    def _someone(self, channel: _Channel) -> _Person:
        """A stranger, or one who has been here before."""
        random = self._random
        back = [person for person in channel.regulars if person.uid not in channel.present]
        if back and random.random() < RETURNS:
            return random.choice(back)
        person = _Person(random.randrange(1, 2**32), random.choice(PEOPLE), random.choice(PLATFORMS),
                         1_700_000_000_000 + self._serial * 1000)
        if len(channel.regulars) < REGULARS:
            channel.regulars.append(person)
        return person

    def _switches(self, at: float, channel: _Channel, person: _Person) -> dict | None:
        if person.uid not in channel.present:
            return None
        person.host = not person.host
        payload = self._personal(at, channel, person)
        del payload["platform"]
        return self._notice(at, 1, 111 if person.host else 112, channel, payload)

    def _leaves(self, at: float, channel: _Channel, person: _Person) -> dict:
        channel.present.pop(person.uid)
        self._empties(channel)
        payload = self._personal(at, channel, person)
        payload["reason"] = self._random.choice(REASONS)
        payload["duration"] = max(0, int(at) - int(person.joined))
        event = 108 if channel.communication else 104 if person.host else 106
        return self._notice(at, 1, event, channel, payload)

    def _empties(self, channel: _Channel) -> None:
        if not channel.present and self._now > channel.ends and channel.session:
            self._later(1, self._destroyed, channel, channel.session)

    def _destroyed(self, at: float, channel: _Channel, session: str) -> dict | None:
        if channel.session != session:
            return None  # the last leave and the end of the agenda both asked for it
        if channel.recorded:
            self._later(2, self._recording, channel, 41, 1)
            self._later(5, self._recording, channel, 31, 2)
        if channel.stream:
            self._later(2, self._streams, channel.stream, END[channel.stream.product], "")
            channel.stream = None
        notice = self._notice(at, 1, 102, channel, {"channelName": channel.name, "ts": int(at), "lastUid": 0})
        channel.session = ""
        self._later(self._spell(PAUSE), self._created, channel)
        return notice

    def _recording(self, at: float, channel: _Channel, event: int, sequence: int) -> dict:
        details: dict = {"msgName": {40: "recorder_started", 41: "recorder_leave", 31: "uploaded"}[event]}
        if event == 41:
            details["leaveCode"] = 16
        if event == 31:
            details |= {"status": 0, "fileList": [{"fileName": f"{self._serial}.m3u8", "trackType": "audio_and_video",
                                                   "uid": "0", "mixedAllUser": True, "isPlayable": True,
                                                   "sliceStartTime": int(at * 1000)}]}
        payload = {"cname": channel.name, "uid": "527841", "sid": f"{self._random.getrandbits(128):032x}",
                   "sequence": sequence, "sendts": int(at * 1000), "serviceType": 0, "details": details}
        return self._notice(at, 3, event, channel, payload)

    def _stream_goes_on(self, channel: _Channel, stream: Stream, step: int) -> None:
        if step < len(BEGINNING[stream.product]):
            gap, event, state = BEGINNING[stream.product][step]
            self._later(gap, self._stream_begins, channel, stream, step, event, state)

    def _stream_begins(self, at: float, channel: _Channel, stream: Stream, step: int, event: int, state: str) -> dict | None:
        if channel.stream is not stream:
            return None  # it has ended, with its channel
        self._stream_goes_on(channel, stream, step + 1)
        return self._streams(at, stream, event, state)

    def _streams(self, at: float, stream: Stream, event: int, state: str) -> dict:
        payload = stream.payload(event, state, at, f"{self._random.getrandbits(128):032x}")
        return self._notice(at, stream.product, event, None, payload)

    def _personal(self, at: float, channel: _Channel, person: _Person) -> dict:
        person.sequence += self._random.randrange(1000, 9000)
        return {"channelName": channel.name, "uid": person.uid, "platform": person.platform,
                "clientSeq": person.sequence, "ts": int(at), "account": person.account}

    def _notice(self, at: float, product: int, event: int, channel: _Channel | None, payload: dict) -> dict:
        self._notices += self._random.randrange(1, 50)
        delay = self._random.randrange(80, 900)
        return {"noticeId": f"{2_000_000_000 + self._notices}:{self._random.randrange(10_000)}:{event}",
                "productId": product, "eventType": event, "notifyMs": int(at * 1000) + delay,
                "payload": payload} | ({"sid": channel.session or "0" * 32} if channel else {})
