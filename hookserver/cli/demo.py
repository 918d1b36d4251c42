"""``hookserver demo``: a server on a temporary directory, with simulated senders."""

from __future__ import annotations

import argparse
import logging
import tempfile
import threading
from itertools import islice
from pathlib import Path

from hookserver import app, config
from hookserver.config import Config
from hookserver.services import senders

CONF = """\
server: {{host: 127.0.0.1, port: {port}}}
limits: {{rate: 100000/s}}
sources:
  calls: {{type: agora, apps: {{demo: {{secrets: ["generate:calls"]}}}}}}
"""
PAST, CHANNELS = 900, 8
WRONG = 0.08  # share of requests that must be refused


def demo(args: argparse.Namespace) -> int:
    """Run until Ctrl-C; the directory is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="hookserver-demo-", ignore_cleanup_errors=True) as home:
        file = Path(home) / "conf.yaml"
        file.write_text(CONF.format(port=args.port))
        conf = config.load(file, generate=True)
        stop = threading.Event()
        try:
            return app.run(conf, announce=lambda url: begin(conf, url, args.rate, stop))
        finally:
            stop.set()


def begin(conf: Config, dashboard: str, rate: float, stop: threading.Event) -> None:
    """Say where to look, and let the senders begin."""
    print(f"Open {dashboard}\n"
          f"Calls are simulated, about {rate:g} events a second; some requests are bad on purpose.\n"
          f"The log: tail -f {conf.data}/log/*.jsonl\n"
          f"Ctrl-C ends it and removes {conf.data.parent}.", flush=True)
    logging.getLogger().setLevel(logging.WARNING)  # each refused request would be a line here
    url = dashboard.partition("/#")[0]
    threading.Thread(target=simulate, args=(conf, url, rate, stop), name="senders", daemon=True).start()


def simulate(conf: Config, url: str, rate: float, stop: threading.Event) -> None:
    """First the calls of the last hour, quickly; then what happens now, slowly, until ``stop``."""
    app_id, secret = senders.choose_app(conf.sources["calls"], None)
    told = senders.story(app_id, secret, past=PAST, channels=CHANNELS)
    wrong = senders.wrong_ones(app_id, secret)
    try:
        for messages, speed in ((islice(told, PAST), None), (islice(wrong, 20), None),
                                (senders.mixed(told, wrong, share=WRONG), rate)):
            run = senders.Senders(url, messages, concurrency=1, rate=speed)
            threading.Thread(target=lambda: (stop.wait(), run.stop()), daemon=True).start()
            run.run()
    except senders.NoServer:
        stop.set()  # the server has ended before its senders
