"""``hookserver send``: realistic samples, signed and posted."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice

from hookserver.config import AgoraSource, Config
from hookserver.core.ratelimit import Rate
from hookserver.services import senders
from hookserver.services.job_samples import sample_jobs
from hookserver.services.sample_messages import Unsendable, sample_messages

from hookserver.cli.configured import read_config, source_named
from hookserver.cli.progress import Progress
from hookserver.cli.words import UsageError

MODESTY = 0.95  # of limits.rate; the rest is for clocks that differ
REFUSED = (401, 403)    # what a bad signature is answered


def send(args: argparse.Namespace) -> int:
    """Post ``--count`` events; exit code 1 if one answer is not the expected one."""
    conf = read_config(args)
    if args.source == "jobs" and conf.jobs is not None:
        return send_jobs(args, conf)
    source = source_named(conf, args.source)
    if isinstance(source, AgoraSource):
        made = messages(args, *app_of(conf, source, args.app))
    else:
        try:
            private = args.key.read_bytes() if args.key else None
            made = islice(sample_messages(conf, source, bad=args.bad_signature, private=private), args.count)
        except Unsendable as problem:
            raise UsageError(str(problem)) from None
        except OSError as error:
            raise UsageError(f"{args.key}: {error.strerror}") from None
    return post(args, conf, made, source.rate or conf.limits.rate, "events")


def send_jobs(args: argparse.Namespace, conf: Config) -> int:
    """Post ``--count`` jobs."""
    secret = b"not the secret" if args.bad_signature else conf.jobs.secrets[0]
    return post(args, conf, islice(sample_jobs(secret, webhook_url=args.webhook), args.count), conf.limits.rate, "jobs")


def post(args: argparse.Namespace, conf: Config, made: Iterator[senders.Message], limit: Rate, what: str) -> int:
    """Send them at the pace asked for, or as fast as ``limit`` lets one address; tell what came of it."""
    url = args.url or address(conf)
    senders.probe(url)
    rate = args.rate if args.rate or args.count <= limit.count else MODESTY * limit.count / limit.seconds
    run = senders.Senders(url, made, concurrency=args.concurrency, rate=rate, on_reply=lambda tally: bar.update(len(tally.latencies)))
    with Progress(args.source, what, args.count) as bar:
        tally = run.run()
    print(summary(tally))
    return 0 if all(status in REFUSED if args.bad_signature else status is not None and 200 <= status < 300 for status in tally.statuses) else 1


def app_of(conf: Config, source: AgoraSource, wanted: str | None) -> tuple[str, bytes | None]:
    """App id and first secret. UsageError if there is no such app, or its secret is not made yet."""
    if wanted and wanted not in source.apps:
        raise UsageError(f"source {source.name} has no app {wanted!r} (it has: {', '.join(source.apps)})")
    app_id, secret = senders.choose_app(source, wanted)
    if secret is None and source.apps[app_id].verify != "none":
        raise UsageError(f"the secret of app {app_id} is not made yet in {conf.data}; "
                         "`hookserver serve` makes it at its first start")
    return app_id, secret


def address(conf: Config) -> str:
    """The server's address as configured."""
    if conf.server.port == 0:
        raise UsageError("server.port is 0, so the address cannot be known; give the one that serve printed with --url")
    return senders.local_url(conf)


def messages(args: argparse.Namespace, app_id: str, secret: bytes | None) -> Iterator[senders.Message]:
    """The messages that the words ask for."""
    told = senders.story(app_id, secret, past=0 if args.rate else args.count,
                         channels=args.channels or senders.channels_for(args.count))
    made = islice(told, args.count)
    return senders.badly_signed(made) if args.bad_signature else made


def summary(tally: senders.Tally) -> str:
    """Answers by status, and latencies."""
    lines = []
    for status, count in sorted(tally.statuses.items(), key=lambda row: str(row[0])):
        extra = f" ({tally.duplicates:,} of them duplicates)" if status == 200 and tally.duplicates else ""
        lines.append(f"{status or 'no answer'}: {count:,}{extra}")
    if tally.put_off:
        lines.append("put off and sent again: " + ", ".join(f"{status}: {count:,}" for status, count in tally.put_off.items()))
    times = ", ".join(f"{name} {(tally.percentile(share) or 0) * 1000:.1f} ms"
                      for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("slowest", 1.0)))
    return f"answers  {', '.join(lines) or 'none'}\nlatency  {times}"
