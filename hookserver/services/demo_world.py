"""Everything outside the server in ``hookserver demo``: senders, receivers, simulators, in a process of their own.

So what the dashboard says of the server (its loop, its memory) is true of the server alone.
"""

from __future__ import annotations

import signal
import threading
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from hookserver import config
from hookserver.services import demo_traffic, senders
from hookserver.services.demo_traffic import Told
from hookserver.services.frameio_simulator import FrameioSimulator
from hookserver.services.job_samples import sample_jobs
from hookserver.services.list_simulator import ListSimulator
from hookserver.services.receivers import Receivers

DISCORD = b"07" * 32    # its private key; nobody believes it anything but here
JOBS = 1 / 25       # a second
LOTS = 40           # of one job, at most
LAST_CALL = 3.0     # seconds that each sender gets to end
SHARE = 0.5         # of the rate, for the events of all other senders


class Places(NamedTuple):
    """Where the world listens, by the names that the demo's configuration has for it."""

    receivers: str
    list: str
    frameio: str
    frameio_token: str
    frameio_account: str


class Server(NamedTuple):
    """The server, once it answers. ``rate``: events a second."""

    conf: str
    url: str
    rate: float


def world(pipe: Connection) -> None:
    """The whole life of the process: says its ``Places``, is told the ``Server``, and ends with the other end of the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # Ctrl-C is for the server; its end is ours
    receivers, frameio, files = Receivers(), FrameioSimulator(token="demo-token-of-frameio"), ListSimulator()
    stop, threads = threading.Event(), []
    try:
        pipe.send(Places(receivers.url, files.url, frameio.url, frameio.token, frameio.account))
        server = pipe.recv()
        threads = begin(server, receivers, frameio, stop)
        pipe.recv()
    except EOFError:
        pass
    finally:
        stop.set()
        for thread in threads:      # none may write into a directory that is being removed
            thread.join(LAST_CALL)
        receivers.close()
        frameio.close()
        files.close()


def begin(server: Server, receivers: Receivers, frameio: FrameioSimulator, stop: threading.Event) -> list[threading.Thread]:
    """Let the senders begin."""
    conf = config.load(server.conf)
    orders = sample_jobs(conf.jobs.secrets[0], webhook_url=f"{receivers.url}/done", most=LOTS)
    home, token = Path(server.conf).parent, (conf.data / "admin.token").read_text().strip()
    threads = [threading.Thread(target=demo_traffic.songs, args=(server.url, token, home, stop), name="songs", daemon=True)]
    for told in (demo_traffic.calls(conf, "calls", server.rate), demo_traffic.services(conf, {"discord": DISCORD}, SHARE * server.rate),
                 demo_traffic.reviews(conf.sources["review"], frameio), demo_traffic.strangers(), [(islice(orders, 2), None), (orders, JOBS)]):
        threads.append(threading.Thread(target=simulate, args=(server.url, told, stop), name="senders", daemon=True))
    for thread in threads:
        thread.start()
    return threads


def simulate(url: str, told: Told, stop: threading.Event) -> None:
    """Send (messages, messages a second or None) one after the other, until ``stop``."""
    try:
        for messages, speed in told:
            run = senders.Senders(url, messages, concurrency=1, rate=speed)
            threading.Thread(target=lambda: (stop.wait(), run.stop()), daemon=True).start()
            run.run()
    except senders.NoServer:
        stop.set()  # the server has ended before its senders
