"""What an Agora notice says about a channel: a fact about a user, about the channel, or a mention.

Shapes follow Agora's pages "Channel event types", "Cloud Recording callback events", "Media Push"
and "Media Pull" (Notification Center Service). Reading never raises for input: what has a wrong
type, no channel, or a time that cannot be is told by ``BROKEN`` and counted by the fold.

- A time may be in seconds or milliseconds (Media Push does both): told apart by its size.
- Times before 2015 (there was no such service) or more than two days ahead of the arrival are
  broken. A year-old time is not: the examples of Agora's own pages, which people send to see
  whether all works, are from 2019.
- ``uid`` is a number; decimal text means the same user. Other text is kept as it is.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

JOINED_HOST, LEFT_HOST, JOINED_AUDIENCE, LEFT_AUDIENCE, JOINED_CALL, LEFT_CALL = 103, 104, 105, 106, 107, 108
CREATED, DESTROYED, BECAME_HOST, BECAME_AUDIENCE = 101, 102, 111, 112
JOINS = frozenset({JOINED_HOST, JOINED_AUDIENCE, JOINED_CALL})
LEAVES = frozenset({LEFT_HOST, LEFT_AUDIENCE, LEFT_CALL})
ROLES = frozenset({BECAME_HOST, BECAME_AUDIENCE})
ABOUT_USERS = JOINS | LEAVES | ROLES
CHURN = 999                     # the reason of a user who joins and leaves abnormally often

RTC = 1
UPLOAD_PROGRESS = "cloud_recording.uploading_progress"      # told each minute, tells a timeline nothing

TEXT_MAX = 256                  # characters of a channel's name, a user's name or an account
STAY_MAX = 32 * 86_400          # seconds: no stay is longer
EARLIEST = 1_420_070_400        # 2015-01-01
AHEAD = 2 * 86_400              # seconds that a sender's clock may be ahead of ours
_MS = 100_000_000_000           # a Unix time from here on is in milliseconds


class Fact(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One thing known about a user in a channel. Times in Unix seconds.

    ``order`` is Agora's clientSeq, or ``ts`` in milliseconds when there is none. ``seq`` is the
    record that brought it, ``now`` the log's time when it came; these two are not
    part of what it says.
    """

    order: int
    ts: int
    event: int
    seq: int
    now: int
    platform: int | None = None
    client_type: int | None = None
    reason: int | None = None
    duration: int | None = None
    account: str = ""

    @property
    def place(self) -> tuple[int, int, int]:
        """Where it stands in the order of a user's facts."""
        return self.order, self.ts, self.event

    def says(self) -> tuple:
        """Everything but when we heard of it: equal for a repeated notice. Also the order of facts."""
        return (self.order, self.ts, self.event, self.platform or 0, self.client_type or 0,
                self.reason or 0, self.duration or 0, self.account)


class Mention(NamedTuple):
    """Something that happened to a channel as a whole. ``type`` is the event's, ``state`` its detail."""

    channel: str
    ts: int
    product: int
    event: int
    type: str
    uid: int | str | None
    state: str


class _RtcPayload(msgspec.Struct, gc=False):
    channelName: str | None = None
    uid: int | str | None = None
    platform: int | None = None
    clientType: int | None = None
    clientSeq: int | None = None
    ts: int | None = None
    account: str | None = None
    reason: int | None = None
    duration: int | None = None


class _RtcNotice(msgspec.Struct, gc=False):
    productId: int | None = None
    eventType: int | None = None
    payload: _RtcPayload | None = None


class _Place(msgspec.Struct, gc=False):
    """The parts of other products' payloads that may name a channel, a user, a time or a state."""

    channel: str | None = None
    channelName: str | None = None
    rtcChannel: str | None = None
    uid: int | str | None = None
    status: str | int | None = None
    state: str | int | None = None
    transcodeOptions: _Place | None = None


class _OtherPayload(msgspec.Struct, gc=False):
    cname: str | None = None
    channelName: str | None = None
    channel: str | None = None
    uid: int | str | None = None
    ts: int | None = None
    sendts: int | None = None
    lts: int | None = None
    player: _Place | None = None
    converter: _Place | None = None
    rtcInfo: _Place | None = None


class _OtherNotice(msgspec.Struct, gc=False):
    productId: int | None = None
    eventType: int | None = None
    notifyMs: int | None = None
    payload: _OtherPayload | None = None


_decode_rtc = msgspec.json.Decoder(_RtcNotice).decode
_decode_other = msgspec.json.Decoder(_OtherNotice).decode

BROKEN = "broken"               # a notice that should be understood and is not
NOTHING = None                  # a notice about something else


def read(payload: bytes, type_name: str, seq: int, at: int, now: int):
    """The news in one notice: ``(channel, uid, Fact)``, a ``Mention``, ``NOTHING`` or ``BROKEN``.

    ``at`` is the minute of its arrival in Unix seconds, ``now`` the log's time. Event numbers mean
    different things in different products, so ``type_name`` (``rtc.…``) chooses the shape.
    """
    if not type_name.startswith("rtc."):
        return NOTHING if type_name == UPLOAD_PROGRESS else _other(payload, type_name, at)
    try:
        notice = _decode_rtc(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return BROKEN
    said, event = notice.payload, notice.eventType
    if said is None or event is None:
        return BROKEN
    channel, ts = said.channelName, said.ts
    if ts is None or not EARLIEST <= ts <= at + AHEAD:
        ts = second(ts, at)
    if ts is None or not channel or len(channel) > TEXT_MAX:
        return BROKEN
    if event not in ABOUT_USERS:
        return Mention(channel, ts, RTC, _small(event) or 0, type_name, None, "")
    uid, order, duration, account = said.uid, said.clientSeq, said.duration, said.account
    if type(uid) is not int or not 0 <= uid < 1 << 63:
        uid = user(uid)
    if order is None:
        order = ts * 1000
    if uid is None or not 0 <= order < 1 << 64:
        return BROKEN
    if duration is not None and not 0 <= duration <= STAY_MAX:
        duration = None
    platform = said.platform
    return channel, uid, Fact(order, ts, event, seq, now, platform and _small(platform), said.clientType and _small(said.clientType),
                              said.reason and _small(said.reason), duration, account and account[:TEXT_MAX] or "")


def _other(payload: bytes, type_name: str, at: int):
    try:
        notice = _decode_other(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return BROKEN
    said = notice.payload
    if said is None:
        return NOTHING
    place = said.player or said.converter or said.rtcInfo or _Place()
    channel = (said.cname or said.channelName or said.channel or place.channelName or place.channel
               or (place.transcodeOptions and place.transcodeOptions.rtcChannel))
    if not channel:
        return NOTHING
    ts = second(next((time for time in (said.sendts, said.ts, said.lts, notice.notifyMs) if time is not None), at), at)
    if ts is None or len(channel) > TEXT_MAX:
        return BROKEN
    uid = user(place.uid if said.uid is None else said.uid)
    state = place.state if place.status is None else place.status
    return Mention(channel, ts, _small(notice.productId) or 0, _small(notice.eventType) or 0, type_name, uid,
                   "" if state is None else str(state)[:40])


def second(time: int | None, at: int) -> int | None:
    """A sender's time in Unix seconds, None when it is missing or cannot be."""
    if time is None:
        return None
    if time >= _MS:
        time //= 1000
    return time if EARLIEST <= time <= at + AHEAD else None


def user(uid: int | str | None) -> int | str | None:
    """One user, one value: decimal text becomes its number. None for what cannot be a user."""
    if isinstance(uid, str):
        if uid.isdecimal() and uid.isascii() and len(uid) <= 18 and (uid[0] != "0" or uid == "0"):
            return int(uid)
        return uid if uid and len(uid) <= TEXT_MAX else None
    return uid if uid is not None and -(1 << 63) <= uid < 1 << 63 else None


def _small(number: int | None) -> int | None:
    """A code (platform, reason, …) when it is one."""
    return number if number is not None and 0 <= number < 1 << 31 else None
