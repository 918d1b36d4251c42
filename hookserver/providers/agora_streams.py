"""Imagined streams beside a call: a media push (a converter sends the channel to a CDN), a media pull (a player brings one in).

Shapes follow Agora's pages "Media Push RESTful API notifications" and "Media Pull RESTful API notifications". Their
``lts`` differ, as the examples there do: Unix seconds for a converter, Unix milliseconds for a player.
"""

from __future__ import annotations

from dataclasses import dataclass

PUSH, PULL = 5, 4

#: What is told of a stream that begins: (seconds after the step before, event type, state).
BEGINNING = {
    PUSH: ((2, 1, ""), (1, 3, "connecting"), (2, 3, "running"), (90, 2, "running")),
    PULL: ((2, 1, ""), (1, 4, "connecting"), (2, 4, "running")),
}
END = {PUSH: 4, PULL: 3}
WHY = {PUSH: "Delete Request", PULL: "Stream Stopped"}


@dataclass(frozen=True)
class Stream:
    """One of them. ``product`` is PUSH or PULL, ``born`` in Unix seconds, ``uid`` the user it is in the channel."""

    product: int
    channel: str
    id: str
    born: int
    uid: int

    def payload(self, event: int, state: str, at: float, request: str) -> dict:
        """What a notice says. ``at`` in Unix seconds, ``request`` the id of the API call behind it."""
        thing = self._converter(event, state, at) if self.product == PUSH else self._player(event, state)
        name = "converter" if self.product == PUSH else "player"
        told = {name: thing, "lts": int(at) if self.product == PUSH else int(at * 1000), "xRequestId": request}
        if event != 1:
            told["fields"] = ",".join(thing)
        if event == END[self.product]:
            told["destroyReason"] = WHY[self.product]
        return told

    def _converter(self, event: int, state: str, at: float) -> dict:
        thing = {"id": self.id, "name": f"{self.channel}-to-cdn", "rtmpUrl": f"rtmp://cdn.example.com/live/{self.id[:12]}",
                 "createTs": self.born, "updateTs": int(at), "transcodeOptions": {"rtcChannel": self.channel}}
        if event == 2:
            thing["transcodeOptions"] |= {"videoOptions": {"bitrate": 1200, "frameRate": 30}}
        return thing | ({"state": state} if state else {})

    def _player(self, event: int, state: str) -> dict:
        thing = {"channelName": self.channel, "id": self.id, "name": f"{self.channel}-player", "uid": self.uid}
        if event == 1:
            thing |= {"createTs": self.born, "idleTimeout": 300, "streamUrl": f"rtmp://studio.example.com/live/{self.id[:12]}"}
        return thing | ({"status": state} if state else {})
