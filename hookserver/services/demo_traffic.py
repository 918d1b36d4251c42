"""What comes in while ``hookserver demo`` runs: calls, events of many senders, films under review, songs, and strangers with a wrong address.

Each is a list of (messages, messages a second or None for as fast as it goes), sent one after the other.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from hookserver.config import Config
from hookserver.config.frameio import FrameioSource
from hookserver.config.model import GenericSource
from hookserver.providers import frameio
from hookserver.providers.samples.catalogue import MAKERS
from hookserver.providers.samples.sample import Luck
from hookserver.providers.samples.scans import TITLES
from hookserver.services import senders
from hookserver.services.frameio_simulator import FrameioSimulator
from hookserver.services.job_polling import NoAnswer
from hookserver.services.sample_messages import sample_messages
from hookserver.services.senders import Message, NoServer
from hookserver.services.song_sender import SongSender

Told = list[tuple[Iterator[Message], float | None]]

PAST, CHANNELS = 900, 8     # calls of the last hour, and in how many channels
EARLIER = 120               # events of other senders at the start
WRONG = 0.08                # share of requests that must be refused
FILMS, FILMS_PAST, FILM_RATE = 5, 40, 0.3
STRANGERS_PAST, STRANGER_RATE = 12, 1 / 15
SONGS_PAST, SONG_PAUSE = 9, 12.0            # seconds
SONG_BYTES = (400_000, 1_200_000)
ENDS = ("match", "clear", "review", "silent", "cover", "machine", "own", "broken", "clear")
VERSIONS = ("", "", " (demo)", " master 2", " - live")

#: Where strangers post to, and whose events they bring; None: one that nobody knows.
LOST = (("/hooks/old-github", "github"), ("/hooks/forms", "typeform"), ("/webhooks/shop", "shopify"), ("/hooks/payments", "stripe"),
        ("/hooks/acme", None))


def calls(config: Config, source: str, rate: float) -> Told:
    """First the calls of the last hour, quickly; then what happens now, slowly."""
    app_id, secret = senders.choose_app(config.sources[source], None)
    told = senders.story(app_id, secret, past=PAST, channels=CHANNELS)
    wrong = senders.wrong_ones(app_id, secret)
    return [(islice(told, PAST), None), (islice(wrong, 20), None), (senders.mixed(told, wrong, share=WRONG), rate)]


def services(config: Config, private: Mapping[str, bytes], rate: float) -> Told:
    """Events of every generic source, in no order; some are signed with another secret. ``private``: source -> key of its sender."""
    found = [source for source in config.sources.values() if isinstance(source, GenericSource)]
    good = [sample_messages(config, source, private=private.get(source.name)) for source in found]
    bad = [sample_messages(config, source, bad=True, private=private.get(source.name)) for source in found if not source.unsigned]
    told, wrong = _any_of(good), _any_of(bad)
    return [(islice(told, EARLIER), None), (islice(wrong, 6), None), (senders.mixed(told, wrong, share=WRONG), rate)]


def _any_of(made: list[Iterator[Message]]) -> Iterator[Message]:
    while True:
        yield next(random.choice(made))


def reviews(source: FrameioSource, simulator: FrameioSimulator) -> Told:
    """Films that are uploaded, commented and judged in an account that the simulator plays."""
    told = _films(source, simulator)
    return [(islice(told, FILMS_PAST), 8.0), (told, FILM_RATE)]


def _films(source: FrameioSource, simulator: FrameioSimulator) -> Iterator[Message]:
    lives = [simulator.review() for _ in range(FILMS)]
    while True:
        place = random.randrange(FILMS)
        event = next(lives[place], None)
        if event is None:
            lives[place] = simulator.review()
            continue
        body = json.dumps(event, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "Frame.io V4 API"} | frameio.sign(body, source.secrets[0], int(time.time()))
        yield Message(source.path, body, headers)


def songs(url: str, token: str, home: Path, stop: threading.Event) -> None:
    """Hand in songs, a few at once and then one now and then, until ``stop``. How each comes out is up to the simulator."""
    sender, number = SongSender(url, token), 0
    while not stop.wait(0.0 if number < SONGS_PAST else SONG_PAUSE):
        number += 1
        path = home / f"{random.choice(TITLES)}{random.choice(VERSIONS)}.mp3"
        kind = ENDS[(number - 1) % len(ENDS)]
        path.write_bytes(b"simulate:%b\n" % kind.encode() + random.randbytes(random.randrange(*SONG_BYTES)))
        try:
            sender.file(path, lambda done: None)
        except (NoAnswer, NoServer, OSError):
            if stop.wait(1.0):
                return
        finally:
            path.unlink(missing_ok=True)


def strangers() -> Told:
    """Webhooks for paths that nobody has: what the inbox proposes sources for."""
    told = _lost()
    return [(islice(told, STRANGERS_PAST), None), (told, STRANGER_RATE)]


def _lost() -> Iterator[Message]:
    luck = Luck(random.Random(), lambda: time.time_ns() // 1_000_000)
    while True:
        path, preset = luck.choice(LOST)
        if preset is None:
            body = {"event": luck.choice(("order.packed", "order.sent")), "id": luck.hex(16), "at": luck.iso, "data": {"parcels": luck.number(1, 4)}}
            yield Message(path, json.dumps(body).encode(), {
                "Content-Type": "application/json", "User-Agent": "acme-hooks/2.1", "X-Acme-Event": body["event"],
                "X-Acme-Delivery": luck.uuid(), "X-Acme-Signature": f"sha256={luck.hex(64)}"})
            continue
        sample = MAKERS[preset](luck)
        yield Message(path, sample.body, {"Content-Type": sample.content_type, **sample.headers, **_mark(preset, luck)})


def _mark(preset: str, luck: Luck) -> dict[str, str]:
    """A signature that looks like the sender's."""
    return {"github": {"X-Hub-Signature-256": f"sha256={luck.hex(64)}"}, "stripe": {"Stripe-Signature": f"t={luck.second},v1={luck.hex(64)}"},
            "shopify": {"X-Shopify-Hmac-SHA256": f"{luck.text(43)}="}, "typeform": {"Typeform-Signature": f"sha256={luck.text(43)}="}}[preset]
