"""``hookserver replay``: events to their destinations again, refused requests through intake again; by a running server."""

from __future__ import annotations

import argparse
import http.client
import json
import time
from pathlib import Path

from hookserver.config import Config
from hookserver.core.times import parse_end_ms, parse_ms
from hookserver.errors import HookserverError
from hookserver.services import senders

from hookserver.cli.configured import moment, read_config
from hookserver.cli.explain import row
from hookserver.cli.progress import Progress
from hookserver.cli.send import address
from hookserver.cli.words import NoSuchThing, UsageError

PAUSES = (1, 2, 4, 8)       # seconds before trying again what the server put off


class ReplayStopped(HookserverError):
    """The server could not go on; what was done is done (exit code 74)."""


def replay(args: argparse.Namespace) -> int:
    """Ask the server, portion by portion; exit code 1 when nothing fits, or something was refused again."""
    asked = wanted(args)
    conf = read_config(args)
    server = Server(args.url or address(conf), token_of(conf))
    total: dict[str, int] = {}
    shown = 0
    rejections = asked["what"] == "rejections"
    with Progress("replay", asked["what"]) as bar:
        told = []
        while True:
            report = server.ask(asked)
            add_up(total, report)
            bar.update(total["looked_at"])
            told += report["sample"][:max(0, args.show - shown)]
            shown = len(told)
            if report["trouble"]:
                time.sleep(PAUSES[0])   # the next portion begins where this one stopped, and says if that lasts
            if report["next"] is None:
                break
            asked |= {"after": report["next"], "last": report["last"]}
    lines = [line_of_rejection(one) if rejections else line_of_event(one) for one in told]
    print("\n".join(lines + [summary_of_rejections(total, args.dry_run) if rejections else summary_of_events(total, args.dry_run)]))
    return 0 if total["matched"] and not total.get("refused") and not total.get("incomplete") else 1


def wanted(args: argparse.Namespace) -> dict:
    """What the words ask for, as the API takes it. UsageError for words that do not go together."""
    what = "rejections" if args.rejections or args.cause or (args.id or "").startswith("rej_") else "events"
    asked = {"id": args.id, "source": args.source, "type": args.type, "cause": args.cause,
             "since": moment(args.since, parse_ms), "until": moment(args.until, parse_end_ms), "to": ",".join(args.to) or None}
    given = {name: value for name, value in asked.items() if value is not None}
    unfit = {"events": ("cause",), "rejections": ("type", "to")}[what]
    for name in unfit:
        if name in given:
            raise UsageError(f"--{name} does not go with {what}")
    if "id" in given and given.keys() - {"id", "to"}:
        raise UsageError("an id says it all; leave out --" + ", --".join(sorted(given.keys() - {"id", "to"})))
    if not given.keys() - {"to"}:
        raise UsageError("what is to be replayed? Give an id, or --source, --type, --cause, --since or --until; --dry-run shows what would happen")
    return {"what": what, "dry_run": args.dry_run, **given}


def token_of(conf: Config) -> str:
    """The admin token of the server on this data directory. NoSuchThing when there is none yet."""
    try:
        return Path(conf.data / "admin.token").read_text("ascii").strip()
    except FileNotFoundError:
        raise NoSuchThing(f"{conf.data} has no admin.token; `hookserver serve` makes it, --data names another directory") from None


class Server:
    """A running server, asked with the admin token."""

    def __init__(self, url: str, token: str):
        senders.probe(url)
        self._connection = senders.Connection(url)
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    def ask(self, asked: dict) -> dict:
        """One portion. What the server puts off (503) is asked again a few times. Raises what becomes an exit code."""
        message = senders.Message("/api/replay", json.dumps(asked).encode(), self._headers)
        for pause in (*PAUSES, None):
            try:
                status, body = self._connection.call(message)
                answer = json.loads(body)
            except (OSError, ValueError, http.client.HTTPException) as error:
                raise ReplayStopped(f"the server's answer was cut off: {error or type(error).__name__}") from None
            if status == 200:
                return answer
            if status != 503 or pause is None:
                break
            time.sleep(pause)
        error = answer.get("error", {})
        said = " ".join(part for part in (error.get("message"), error.get("hint")) if part)
        if status == 404:
            raise NoSuchThing(said)
        if error.get("code") == "bad_parameter":
            raise UsageError(said)
        raise ReplayStopped(f"the server answered {status}: {said}")


def add_up(total: dict[str, int], report: dict) -> None:
    """Add the numbers of one portion."""
    for name in ("looked_at", "matched", "unrouted", "tasks"):
        total[name] = total.get(name, 0) + report.get(name, 0)
    for name, count in {**report.get("outcomes", {}), **{f"to {name}": count for name, count in report.get("to", {}).items()}}.items():
        total[name] = total.get(name, 0) + count


def line_of_event(one: dict) -> str:
    """``evt_… 2026-11-22T03:45:38.799Z github push -> ci, deploy``"""
    return row(one["id"], f" {one['at']}  {one['source']}  {one['type']} -> {', '.join(one['to'])}")


def line_of_rejection(one: dict) -> str:
    """What it was, and what it is now."""
    now = {"accepted": "accepted" + (f" as {one['event']}" if one["event"] else ""), "duplicate": f"a duplicate of {one['event']}",
           "refused": f"refused again, {one['why']}", "incomplete": f"cannot be sent again: {one['why']}"}[one["outcome"]]
    return row(one["id"], f" {one['at']}  {one['cause']}  {one['path']} -> {now}")


def summary_of_events(total: dict[str, int], dry_run: bool) -> str:
    """``12 events fit: 20 deliveries would be made (ci: 12, deploy: 8); 3 events go nowhere``"""
    to = ", ".join(f"{name[3:]}: {count:,}" for name, count in total.items() if name.startswith("to "))
    made = f"{counted(total['tasks'], 'delivery', 'deliveries')} {'would be made' if dry_run else 'made'}" + (f" ({to})" if to else "")
    rest = f"; no route of today sends {counted(total['unrouted'], 'of them', 'of them')} anywhere" if total["unrouted"] else ""
    return f"{counted(total['matched'], 'event fits', 'events fit')}: {made}{rest}"


def summary_of_rejections(total: dict[str, int], dry_run: bool) -> str:
    """``5 rejections fit: 3 would be accepted, 2 would be refused again``"""
    verb = "would be " if dry_run else ""
    words = {"accepted": f"{verb}accepted", "duplicate": "copies of events", "refused": f"{verb}refused again",
             "incomplete": "cannot be sent again, too little of them was kept"}
    parts = [f"{total[name]:,} {said}" for name, said in words.items() if total.get(name)]
    return f"{counted(total['matched'], 'rejection fits', 'rejections fit')}: {', '.join(parts) or 'nothing to do'}"


def counted(number: int, one: str, many: str) -> str:
    """A number and its noun."""
    return f"{number:,} {one if number == 1 else many}"
