"""The composition root: builds every part from a ``Config``, starts it, drains it, stops it.

``run(config)`` is the whole life of the process and gives its exit code. ``App`` is the same without
a process: tests start and stop it on a loop of their own.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from urllib.parse import urlsplit

import msgspec

from hookserver import __version__
from hookserver.config import AgoraSource, Config
from hookserver.core.announcements import PROVIDER
from hookserver.errors import ConfigError
from hookserver.ops.tunnel_house import TunnelHouse
from hookserver.providers.agora_names import mappings
from hookserver.services import journal
from hookserver.services.announcer import Announcer
from hookserver.services.asset_desk import AssetDesk
from hookserver.services.background import Background, LoopLag
from hookserver.services.channels import Channels
from hookserver.services.frameio_house import EVERY as LOOK_EVERY
from hookserver.services.frameio_house import FrameioHouse
from hookserver.services.feed_desk import FeedDesk
from hookserver.services.feeds import FeedHouse
from hookserver.services.inbox import Inbox
from hookserver.services.intake import Intake
from hookserver.services.job_house import JobHouse
from hookserver.services.own_list import OwnList
from hookserver.services.overview import Overview, base_url
from hookserver.services.projection import Projection
from hookserver.services.queries import Events
from hookserver.services.readmission import Readmission
from hookserver.services.refusals import Refusals
from hookserver.services.rehearsal import Rehearsal
from hookserver.services.replay import Replay
from hookserver.services.route_report import RouteReport
from hookserver.services.sender_house import SenderHouse
from hookserver.services.song_house import SongHouse
from hookserver.services.summaries import moved, summaries
from hookserver.services.system import System
from hookserver.services.upkeep import Upkeep
from hookserver.services.upload_house import TIDY_EVERY, UploadHouse
from hookserver.services.webhook_report import WebhookReport
from hookserver.services.webhook_status import WebhookStatus
from hookserver.services.work import PendingWork
from hookserver.store.checkpoints import floor_seq
from hookserver.store.datadir import DataDir
from hookserver.store.dedup import Dedup, window_start
from hookserver.store.disk import Disk
from hookserver.store.log import Log
from hookserver.store.reader import Reader
from hookserver.store.rejections import Rejections
from hookserver.tasks.performers import Performers
from hookserver.web.assets import Assets, static_directory
from hookserver.web.auth import Auth, is_exposed, load_token
from hookserver.web.base import Hosts
from hookserver.web.dry_runs import DryRuns
from hookserver.web.frontdoor import FrontDoor
from hookserver.web.hooks import Hooks
from hookserver.web.listener import Listener, bind, connection_limit, tls_context
from hookserver.web.live import Hub
from hookserver.web.metrics import Metrics
from hookserver.web.narrow import narrow_door
from hookserver.web.routes import build_application
from hookserver.web.uploads import UploadDoor

log = logging.getLogger("hookserver")

OK, IO, CONFIG = 0, 74, 78      # exit codes (sysexits.h)
DRAIN = 8.5                     # seconds that requests under way get for their answer
LAST_ATTEMPTS = 5.0             # seconds that attempts of tasks get to end
LAST_CALL = 10.0                # seconds from the first signal to the end, whatever hangs
TOKEN = "admin.token"
API_BODY = 64 * 1024


def wall_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class App:
    """One server on one data directory. ``clock`` gives Unix milliseconds, ``disk`` is the store's seam.

    ``start`` returns when requests are answered. ``on_end(code)`` is called when the server cannot go on;
    whoever made the App then has to ``stop`` it.
    """

    def __init__(self, config: Config, *, clock: Callable[[], int] = wall_ms, disk=None,
                 on_end: Callable[[int], None] = lambda code: None):
        self.config, self.clock, self._disk, self._on_end = config, clock, disk, on_end
        self.port = 0
        self.token = ""
        self.state = "starting"
        self.background = Background(lambda name, error: self._end(IO))
        self.log: Log | None = None
        self._listeners: list[Listener] = []

    @property
    def url(self) -> str:
        """Where this server can be reached from its own machine."""
        return base_url(msgspec.structs.replace(self.config, server=msgspec.structs.replace(self.config.server, site_url=None)),
                        self.port)

    # -- start -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Recover, catch up, listen. Raises LockedError, CorruptionError, ConfigError, OSError."""
        journal.calm_strangers()
        sockets = bind(self.config, self.config.server.host, self.config.server.port, "server.port")
        narrow: list[socket.socket] = []
        try:
            self.port = sockets[0].getsockname()[1]
            if self.config.tunnel.enabled:
                narrow = bind(self.config, "127.0.0.1", self.config.tunnel.port, "tunnel.port")
            await asyncio.to_thread(self._open_store)
            self._build()
            await self.work.engine.start()
            self._listen(sockets, narrow)
        except BaseException:
            await self.background.stop()
            for one in (*sockets, *narrow):
                one.close()
            if self.log is not None:
                await self.log.close()
            raise
        self.state = "running"

    def _open_store(self) -> None:
        config, disk = self.config, self._disk or Disk()
        try:
            config.data.mkdir(mode=0o750, parents=True, exist_ok=True)
            self.log = Log.open(config.data, clock=self.clock, disk=disk, segment_size=config.store.segment_size,
                                floor_seq=floor_seq(disk, DataDir(config.data)))
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise ConfigError(f"cannot write to the data directory {config.data}: {error.strerror}",
                                  file=str(config.file), key="store.dir") from None
            raise
        self.reader = Reader(self.log.catalog, self.log.paths, self.log.disk)
        self.dedup = Dedup.open(
            config.data / "index" / "dedup", store_id=self.log.store_id,
            first_seq=window_start(self.log.catalog.segments, self._window()), last_seq=self.log.durable_seq,
            blocks=self.reader.blocks, read_record=self.reader.read, progress=journal.CatchingUp("dedup keys", self.log.durable_seq))
        self.projection = Projection.open(self.reader, self.log.store_id, keys=self.dedup,
                                          progress=journal.CatchingUp("folds", self.log.durable_seq))
        self.rejections = Rejections(config.data / "rejected", store_id=self.log.store_id, now_ms=self.clock())
        self.token = load_token(config.data / TOKEN)
        if is_exposed(config.data / TOKEN):
            log.warning("others can read the admin token file=%s, see that only its owner can", config.data / TOKEN)

    def _window(self) -> float:
        """The largest dedup window, in seconds."""
        windows = [source.dedup_window for source in self.config.sources.values()]
        return max(windows if self.config.jobs is None else [*windows, self.config.jobs.idempotency], default=0.0)

    def _build(self) -> None:
        """Everything that stands on the store. On the loop."""
        config, loop = self.config, asyncio.get_running_loop()
        app_ids = {app_id for source in config.sources.values() if isinstance(source, AgoraSource) for app_id in source.apps}
        self.lag = LoopLag(loop)
        self.hub = Hub(summaries, moved)
        self.rejections.on_added = self.hub.rejection
        self.projection.subscribers.append(self.hub.events)
        self.channels = Channels(self.projection, clock=self.clock, apps=lambda: app_ids)
        self.log.on_durable, self.log.on_rotate = self.projection.apply, self.projection.rotated
        self.log.on_poison = self._poisoned
        self.dedup.on_damage = lambda why: self._end(IO)    # the next start mends it
        self.log.start(loop)
        base = base_url(config, self.port)
        # Of what a source has to do: each has ``lanes`` for the engine, and ``close()``.
        self.feeds = FeedHouse(config, fold=lambda: self.projection.meanings["files"], clock=self.clock)
        self.frameio = FrameioHouse(config, projection=self.projection, append=self.log.append, clock=self.clock)
        self.uploads = UploadHouse.of(config, self.projection, append=self.log.append, clock=self.clock, own=self.url, base=base,
                                      choose=lambda *event: self.intake.reception.routing.choose(*event))
        self.songs = SongHouse(config, projection=self.projection, reader=self.reader, append=self.log.append, clock=self.clock,
                               apis=self.uploads.apis if self.uploads else None)
        senders = SenderHouse(config, clock=self.clock)
        self.houses: list = [senders, self.frameio, self.feeds, self.songs, *([self.uploads] if self.uploads else [])]
        self.jobs = None if config.jobs is None else JobHouse(config, projection=self.projection, reader=self.reader, token=self.token, base=base)
        self.work = PendingWork(config, projection=self.projection, log=self.log, reader=self.reader, clock=self.clock,
                                background=self.background, performers=Performers(), more=[*(self.jobs.lanes if self.jobs else ()), *[lane for house in self.houses for lane in house.lanes]])
        self.background.every("assets", LOOK_EVERY, self.frameio.watch)
        self.system = System(self)
        # Threads of their own, so that readers who keep all others busy cannot hold up senders.
        self.bodies = ThreadPoolExecutor(2, "bodies")
        self.intake = Intake(config, storage=self.log, dedup=self.dedup, rejections=self.rejections, clock=self.clock,
                             threads=self.bodies, read=self.reader.read, certificates=senders.certificates, recall=self.feeds.seq_of)
        self.asset_desk = AssetDesk(config, lambda: self.projection.meanings["assets"], lambda: self.projection.files, append=self.log.append)
        self.own_list = self._own_list()
        self.tunnel = TunnelHouse(config, use=self.intake.reception.add_secret, clock=self.clock)
        self.announcer = Announcer(lambda: self.projection.folds.announcements, append=self.log.append, routing=self.intake.reception.routing,
                                   worded=lambda told: self.asset_desk.worded(self.songs.desk.worded(told)))
        self.projection.subscribers.append(self.announcer.saw)
        self.upkeep = Upkeep(
            config.store, storage=self.log, dedup=self.dedup, rejections=self.rejections, clock=self.clock,
            window=self._window(),
            derived={"the checkpoint": self.projection.checkpoint, "what is sorted": self.channels.refresh},
            pinned_seq=lambda: self.projection.queue.pinned_seq(), prepare=self.projection.prepare)
        self.auth = Auth(self.token)
        self.hooks = Hooks(self.intake, clock=self.clock, dry_runs=DryRuns(Rehearsal(self.intake), self.auth))
        self.house = self._house()
        self._limits = {"api_body": API_BODY, "header_timeout": config.limits.header_timeout, "body_timeout": config.limits.body_timeout}
        self.upload_door = UploadDoor(self.hooks, self.uploads.uploads, self.house) if self.uploads else None
        self.door = FrontDoor(self.upload_door or self.hooks, build_application(self.house), **self._limits)

    def _own_list(self) -> OwnList | None:
        config = self.config
        if config.listing is None:
            return None
        own = OwnList(config.listing, config.listing.sources or list(config.feeds), self.reader)
        self.projection.subscribers.append(own.saw)
        return own

    def _house(self) -> SimpleNamespace:
        """What the web handlers get to see."""
        config = self.config
        base = base_url(config, self.port)
        events = Events(self.reader, self.log.store_id, base_url=base, routing=self.intake.reception.routing)
        overview = Overview(config, storage=self.log, rejections=self.rejections, events=events, counts=lambda: self.projection.counts,
                            clock=self.clock, base_url=base, warnings=self.system.warnings, outside=self.tunnel.address)
        return SimpleNamespace(
            auth=self.auth, hosts=Hosts(config.server.host, site_host(config)),
            trusted_proxies=config.server.trusted_proxies, assets=Assets(static_directory()),
            events=events, missed=events.missed, overview=overview, channels=self.channels, mappings=mappings,
            hub=self.hub, system=self.system, deliveries=self.work.deliveries, targets=self.work.targets,
            jobs=self.jobs.service if self.jobs else None,
            lot_answers=self.jobs.answers(self.work.engine, self.log) if self.jobs else None,
            webhooks=WebhookReport(self.projection, clock=self.clock, names=list(config.destinations)),
            routes=RouteReport(config.routes, self.reader, sources=[*config.sources, *config.feeds, *(["jobs"] if config.jobs else []), PROVIDER],
                               destinations=list(config.destinations), clock=self.clock),
            songs=self.songs.desk,
            asset_desk=self.asset_desk,
            webhook_status=WebhookStatus(config, lambda: self.projection.meanings["assets"], takes=lambda: self.log.status == "ok", base=base,
                                         tunnel=self.tunnel.info),
            feeds=FeedDesk(config, self.feeds, lambda: self.projection.meanings["files"], lambda: self.projection.files, append=self.log.append,
                           clock=self.clock),
            own_list=self.own_list,
            uploads=self.uploads,
            replay=Replay(self.reader, self.log.store_id, routing=self.intake.reception.routing, destinations=config.destinations,
                          append=self.log.append),
            readmission=Readmission(self.rejections, self.intake),
            refusals=Refusals(self.rejections, clock=self.clock, base_url=base, sources=config.sources, find=self.intake.reception.find),
            inbox=Inbox(self.rejections, self.intake.reception.find, sources=config.sources), metrics=Metrics(self.system.figures))

    def _listen(self, sockets: list[socket.socket], narrow: list[socket.socket]) -> None:
        most = connection_limit(self.config.limits.connections)
        self._listeners = [Listener(self.door, sockets, most=most, tls=tls_context(self.config))]
        if narrow:
            door = narrow_door(self.hooks, self.house, self.config.tunnel.paths, named=self.config.tunnel.type != "outside", **self._limits)
            self._listeners.append(Listener(door, narrow, most=most))
        self.tunnel.start(narrow[0].getsockname()[1] if narrow else None, self.background)
        for listener in self._listeners:
            self.background.run("sweep", listener.door.sweep())
        self.upkeep.start(self.background)
        if self.uploads is not None:
            self.background.every("uploads", TIDY_EVERY, self.uploads.tidy)
        self.background.run("channels", self.channels.warm())
        if self.songs.sources:
            self.background.every("songs", self.songs.pause, self.songs.look)
        self.background.run("announcer", self.announcer.run())
        self.feeds.start(self.background, self.intake)

    # -- while it runs ---------------------------------------------------------------------------

    def _poisoned(self, error: BaseException) -> None:
        self._end(IO)

    def _end(self, code: int) -> None:
        if self.state == "running":
            self.state = "failed"
            self._on_end(code)

    # -- stop ------------------------------------------------------------------------------------

    async def stop(self, *, drain: float = DRAIN) -> None:
        """Take no more, answer what is under way (at most ``drain`` seconds), close. May be called twice."""
        if self.state in ("starting", "stopping", "stopped"):
            return
        self.state = "stopping"
        self.hooks.draining = True
        for listener in self._listeners:
            listener.stop()
        await asyncio.gather(self._let_go(drain), self.work.stop(min(drain, LAST_ATTEMPTS)), self.tunnel.close())
        if self.jobs is not None:
            await self.jobs.close()
        for house in self.houses:
            await house.close()
        self.hub.close()
        for listener in self._listeners:
            await listener.close()
        await self.background.stop()
        self.lag.stop()
        self.bodies.shutdown(wait=False)
        await asyncio.to_thread(self.rejections.close)
        await asyncio.to_thread(self.channels.close)
        await self.projection.close()
        await asyncio.to_thread(self.dedup.close)
        await self.log.close()
        self.state = "stopped"

    async def _let_go(self, drain: float) -> None:
        """Wait until requests under way have their answer, and the answers are on their way."""
        try:
            async with asyncio.timeout(drain):
                await self.hooks.settled()
                if self.upload_door is not None:
                    await self.upload_door.settled()
        except TimeoutError:
            log.warning("stopping without an answer to %d requests", self.hooks.under_way)
        for listener in self._listeners:
            listener.door.close_idle()
        await asyncio.sleep(0)


def site_host(config: Config) -> str | None:
    """The host name in server.site_url."""
    return urlsplit(config.server.site_url).hostname if config.server.site_url else None


def run(config: Config, *, announce: Callable[[str], None] = print) -> int:
    """Serve until a signal comes or the store fails; returns the exit code.

    ``announce`` gets the address to open, once requests are answered.
    """
    journal.set_up()
    sys.setswitchinterval(0.0002)  # a busy thread must not hold up the loop for 5 ms, Python's own, at each of its steps
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_live(config, announce))


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's when it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _live(config: Config, announce: Callable[[str], None]) -> int:
    loop = asyncio.get_running_loop()
    ended: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.put_nowait, OK)
    app = App(config, on_end=ended.put_nowait)
    for warning in config.warnings:
        log.warning("%s", warning)
    starting = asyncio.ensure_future(app.start())
    first = asyncio.ensure_future(ended.get())
    await asyncio.wait((starting, first), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        log.info("stopped before the start was complete")
        watchdog(1.0, OK)  # what is being read or rebuilt is left as after a kill
        return OK
    starting.result()
    gc.freeze()  # what is alive now stays: no full collection need look at it again
    announce(f"{app.url}/#token={app.token}")
    log.info("serving url=%s version=%s pid=%d", app.url, __version__, os.getpid())
    code = await first
    watchdog(LAST_CALL if code == OK else 1.0, code)
    log.info("stopping code=%d", code)
    stopping = asyncio.ensure_future(app.stop(drain=DRAIN if code == OK else 0.3))
    second = asyncio.ensure_future(ended.get())
    await asyncio.wait((stopping, second), return_when=asyncio.FIRST_COMPLETED)
    return code


def watchdog(seconds: float, code: int) -> None:
    """End the process after ``seconds``, whatever hangs: an acknowledged event is on disk already."""
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    timer.start()
