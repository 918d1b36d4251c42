"""``hookserver feed``: try a feed's list by hand, and see how the feeds of a running server are."""

from __future__ import annotations

import argparse
import json
import sys
from urllib.parse import quote

from hookserver.config import Config
from hookserver.config.model import Feed
from hookserver.core.times import format_second
from hookserver.services.feed_trial import Trial, fate, try_feed
from hookserver.services.job_polling import JobApi, NoAnswer

from hookserver.cli.configured import read_config
from hookserver.cli.jobs import token_of
from hookserver.cli.send import address
from hookserver.cli.words import NoSuchThing, UsageError


def fetch(args: argparse.Namespace) -> int:
    """Fetch the list and show what is in it; the server need not run, and nothing is kept. Exit code 1 when there is no list."""
    conf = read_config(args)
    feed = feed_named(conf, args.name)
    trial = try_feed(conf, feed)
    if args.json:
        print(json.dumps([{"url": entry.url, "class": entry.kind, "r2_url": entry.copy, "provider": entry.provider,
                           "at": None if entry.at is None else format_second(entry.at), "name": entry.name} for entry in trial.entries], indent=2, ensure_ascii=False))
        if trial.error:
            print(clean(told(feed, trial)[0]), file=sys.stderr)
        return 1 if trial.error else 0
    for line in told(feed, trial):
        print(clean(line))
    return 1 if trial.error else 0


def clean(text: str) -> str:
    """What others have written, without what would move the cursor or change a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def told(feed: Feed, trial: Trial) -> list[str]:
    """The list for people."""
    if trial.error:
        return [f"{feed.name}: no list after {trial.attempts} attempt{'s' * (trial.attempts > 1)}: {trial.error}"]
    known = trial.known
    lines = [f"{feed.name}: {known.total} entries, {known.broken} broken, {trial.bytes} bytes"]
    lines += [f"  {entry.kind:<13} {fate(entry):<11} {entry.name or entry.url}" for entry in trial.entries]
    lines += [f"  broken        entry {one.place + 1}: {one.why}" for one in known.named]
    hidden = known.broken - len(known.named)
    return lines + ([f"  and {hidden} more that are broken"] if hidden > 0 else [])


def status(args: argparse.Namespace) -> int:
    """How the feeds of the running server are. Exit code 1 when one of them has no list."""
    conf = read_config(args)
    if args.name is not None or not conf.feeds:
        feed_named(conf, args.name)
    try:
        api = JobApi(args.url or address(conf), token_of(conf))
        feeds = api.get("/api/feeds")["feeds"] if args.name is None else [api.get(f"/api/feeds/{quote(args.name, safe='')}")]
    except NoAnswer as error:
        raise NoSuchThing(str(error)) from None
    if args.json:
        print(json.dumps(feeds, indent=2, ensure_ascii=False))
    else:
        for feed in feeds:
            print("\n".join(map(clean, summary(feed).split("\n"))))
    return 0 if all(feed["state"] == "ok" for feed in feeds) else 1


def summary(feed: dict) -> str:
    """One feed in a line or two."""
    files = ", ".join(f"{count} {state}" for state, count in feed["files"].items() if count) or "no files"
    if feed["fetched_at"] is None:
        listed = "no list yet"
    else:
        listed = f"{feed['entries']} entries, {feed['broken']} broken, as of {feed['fetched_at']} ({feed['age']:.0f} s ago)"
    trouble = f"\n  {feed['error']} ({feed['failures']} times in a row)" if feed["error"] else ""
    return f"{feed['name']}: {feed['state']}, {listed}; {files}{trouble}"


def feed_named(conf: Config, name: str | None) -> Feed:
    """The feed; without a name, the only one. Raises UsageError."""
    if not conf.feeds:
        raise UsageError("conf.yaml has no feeds, and WEBHOOK_JSON_URL is not set")
    if name is None and len(conf.feeds) > 1:
        raise UsageError(f"there are several feeds; name one of {', '.join(conf.feeds)}")
    feed = next(iter(conf.feeds.values())) if name is None else conf.feeds.get(name)
    if feed is None:
        raise UsageError(f"there is no feed {name}; known: {', '.join(conf.feeds)}")
    return feed
