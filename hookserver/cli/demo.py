"""``hookserver demo``: a server on a temporary directory; senders, receivers and clients are simulated in a process beside it."""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hookserver import app, config
from hookserver.config import Config
from hookserver.services.demo_world import DISCORD, Places, Server, world

CONF = """\
server: {{host: 127.0.0.1, port: {port}}}
limits: {{rate: 100000/s}}
sources:
  calls: {{type: agora, apps: {{demo: {{secrets: ["generate:calls"]}}}}}}
  scans: {{type: acrcloud, mock: true, callback_token: "generate:scans", stuck_after: 2m}}
  review: {{type: frameio, secrets: ["generate:review"], token: {frameio_token}, account: {frameio_account}, api: "{frameio}"}}
{services}
  twilio: {{type: generic, verify: {{preset: twilio, secrets: ["generate:twilio"]}}, public_url: "https://hooks.example.com/hooks/twilio"}}
  lab:
    type: generic
    verify: {{scheme: token, header: X-Lab-Token, secrets: ["generate:lab"]}}
    event_type: payload.project
    drop: {{payload.amount: {{lt: 100}}}}
    success: {{status: 202}}
destinations:
  archive: {{type: http, url: "{receivers}/archive", concurrency: 4}}
  billing: {{type: http, url: "{receivers}/billing", retry: {{schedule: [5s, 15s, 45s, 2m], jitter: 0.2}}, breaker: {{failures: 4, pause: 10s}}}}
  counted: {{type: exec, argv: [wc, -c], concurrency: 2}}
  abandoned: {{type: http, url: "http://127.0.0.1:9/", retry: {{schedule: [10s, 30s]}}}}
  former: {{type: http, url: "{receivers}/former"}}
  team: {{type: discord, url: "{receivers}/team"}}
routes:
  - {{from: calls, when: {{type: {{prefix: rtc.channel_}}}}, to: [archive, counted]}}
  - {{from: calls, when: {{type: rtc.broadcaster_left, payload.payload.duration: {{gte: 60}}}}, to: [billing, archive]}}
  - {{from: calls, when: {{type: rtc.audience_joined, any: [{{payload.payload.platform: 1}}, {{header.X-Test: {{exists: true}}}}]}}, to: abandoned}}
  - {{from: github, when: {{type: push, payload.ref: refs/heads/main}}, to: [counted, team]}}
  - {{from: [stripe, shopify, paddle], to: billing}}
  - {{from: scans, when: {{type: song.analyzed, payload.verdict: match}}, to: archive}}
  - {{from: lab, when: {{type: ferry}}, to: former}}
feeds:
  downloads: {{url: "{list}", ttl: 5s, interval: 2s, classify: {{127.0.0.1: dropbox}}, quota: 2GiB, retry: {{schedule: [10s, 30s]}}}}
jobs:
  secret: ["generate:jobs"]
  worker: {{type: http, url: "{receivers}/worker", concurrency: 3, retry: {{schedule: [2s, 5s]}}}}
notify: {{on: [song.analyzed, song.failed, asset.status, destination.disabled, file.failed], to: team}}
tunnel: {{enabled: true, type: outside, port: 0}}
guard: {{allow: [127.0.0.0/8]}}
"""
#: Sources that differ by their preset only.
SERVICES = ("github", "gitlab", "stripe", "shopify", "slack", "zoom", "linear", "paddle", "typeform", "mailgun", "calendly")
LAST_CALL = 20.0    # seconds that the others get to end


def demo(args: argparse.Namespace) -> int:
    """Run until Ctrl-C; the directory is removed at the end."""
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    others = context.Process(target=world, args=(theirs,), name="world", daemon=True)
    others.start()
    theirs.close()
    with tempfile.TemporaryDirectory(prefix="hookserver-demo-", ignore_cleanup_errors=True) as home:
        try:
            file = Path(home) / "conf.yaml"
            file.touch(mode=0o600)
            file.write_text(conf_text(args.port, pipe.recv()))
            conf = config.load(file, generate=True)
            return app.run(conf, announce=lambda url: begin(conf, url, args.rate, pipe))
        finally:
            pipe.close()
            others.join(LAST_CALL)


def conf_text(port: int, places: Places) -> str:
    """The configuration of the demo."""
    services = "\n".join(f'  {name}: {{type: generic, verify: {{preset: {name}, secrets: ["generate:{name}"]}}}}' for name in SERVICES)
    services += f'\n  discord: {{type: generic, verify: {{preset: discord, secrets: ["{public_key(DISCORD)}"]}}}}'
    return CONF.format(port=port, services=services, **places._asdict())


def public_key(private: bytes) -> str:
    """Of an ed25519 key in hex, in hex."""
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private.decode())).public_key().public_bytes_raw().hex()


def begin(conf: Config, dashboard: str, rate: float, pipe: Connection) -> None:
    """Say where to look, and let the others begin."""
    print(f"Open {dashboard}\n"
          f"Calls are simulated, about {rate:g} events a second, and beside them a dozen other senders, films under review, songs that are\n"
          "analysed, and strangers with a wrong address; some requests are bad on purpose. Some events are sent on: one destination is\n"
          "well, one is a program, one is down now and then, one is gone, one is a chat that is told what matters. A client has a job\n"
          "made now and then, and a list of files grows.\n"
          f"The log: tail -f {conf.data}/log/*.jsonl\n"
          f"Ctrl-C ends it and removes {conf.data.parent}.", flush=True)
    logging.getLogger().setLevel(logging.WARNING)  # each refused request would be a line here
    pipe.send(Server(str(conf.file), dashboard.partition("/#")[0], rate))
