"""``hookserver demo``: a server on a temporary directory, with simulated senders, receivers and clients of the job service."""

from __future__ import annotations

import argparse
import logging
import tempfile
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from hookserver import app, config
from hookserver.config import Config
from hookserver.services import senders
from hookserver.services.job_samples import sample_jobs
from hookserver.services.receivers import Receivers

CONF = """\
server: {{host: 127.0.0.1, port: {port}}}
limits: {{rate: 100000/s}}
sources:
  calls: {{type: agora, apps: {{demo: {{secrets: ["generate:calls"]}}}}}}
destinations:
  archive: {{type: http, url: "{receivers}/archive", concurrency: 4}}
  billing: {{type: http, url: "{receivers}/billing", retry: {{schedule: [5s, 15s, 45s, 2m], jitter: 0.2}}, breaker: {{failures: 4, pause: 10s}}}}
  counted: {{type: exec, argv: [wc, -c], concurrency: 2}}
  abandoned: {{type: http, url: "http://127.0.0.1:9/", retry: {{schedule: [10s, 30s]}}}}
routes:
  - {{from: calls, when: {{type: {{prefix: rtc.channel_}}}}, to: [archive, counted]}}
  - {{from: calls, when: {{type: rtc.broadcaster_left, payload.payload.duration: {{gte: 60}}}}, to: [billing, archive]}}
  - {{from: calls, when: {{type: rtc.audience_joined, any: [{{payload.payload.platform: 1}}, {{header.X-Test: {{exists: true}}}}]}}, to: abandoned}}
jobs:
  secret: ["generate:jobs"]
  worker: {{type: http, url: "{receivers}/worker", concurrency: 3, retry: {{schedule: [2s, 5s]}}}}
guard: {{allow: [127.0.0.0/8]}}
"""
PAST, CHANNELS = 900, 8
WRONG = 0.08        # share of requests that must be refused
JOBS = 1 / 25       # a second
LOTS = 40           # of one job, at most


def demo(args: argparse.Namespace) -> int:
    """Run until Ctrl-C; the directory is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="hookserver-demo-", ignore_cleanup_errors=True) as home:
        receivers = Receivers()
        file = Path(home) / "conf.yaml"
        file.touch(mode=0o600)
        file.write_text(CONF.format(port=args.port, receivers=receivers.url))
        conf = config.load(file, generate=True)
        stop = threading.Event()
        try:
            return app.run(conf, announce=lambda url: begin(conf, url, receivers, args.rate, stop))
        finally:
            stop.set()
            receivers.close()


def begin(conf: Config, dashboard: str, receivers: Receivers, rate: float, stop: threading.Event) -> None:
    """Say where to look, and let the senders begin."""
    print(f"Open {dashboard}\n"
          f"Calls are simulated, about {rate:g} events a second; some requests are bad on purpose. Some events are sent on: one\n"
          "destination is well, one is a program, one is down now and then, one is gone. A client has a job made now and then.\n"
          f"The log: tail -f {conf.data}/log/*.jsonl\n"
          f"Ctrl-C ends it and removes {conf.data.parent}.", flush=True)
    logging.getLogger().setLevel(logging.WARNING)  # each refused request would be a line here
    url = dashboard.partition("/#")[0]
    orders = sample_jobs(conf.jobs.secrets[0], webhook_url=f"{receivers.url}/done", most=LOTS)
    for told in (calls(conf, rate), [(islice(orders, 2), None), (orders, JOBS)]):
        threading.Thread(target=simulate, args=(url, told, stop), name="senders", daemon=True).start()


Told = list[tuple[Iterator[senders.Message], float | None]]


def calls(conf: Config, rate: float) -> Told:
    """First the calls of the last hour, quickly; then what happens now, slowly."""
    app_id, secret = senders.choose_app(conf.sources["calls"], None)
    told = senders.story(app_id, secret, past=PAST, channels=CHANNELS)
    wrong = senders.wrong_ones(app_id, secret)
    return [(islice(told, PAST), None), (islice(wrong, 20), None), (senders.mixed(told, wrong, share=WRONG), rate)]


def simulate(url: str, told: Told, stop: threading.Event) -> None:
    """Send (messages, messages a second or None) one after the other, until ``stop``."""
    try:
        for messages, speed in told:
            run = senders.Senders(url, messages, concurrency=1, rate=speed)
            threading.Thread(target=lambda: (stop.wait(), run.stop()), daemon=True).start()
            run.run()
    except senders.NoServer:
        stop.set()  # the server has ended before its senders
