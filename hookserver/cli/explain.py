"""``hookserver explain``: the story of one event or one rejection."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from hookserver.core.conditions import Step
from hookserver.core.records import EVENT, Record
from hookserver.errors import CODES, ConfigError
from hookserver.services.checks import checks_of, checks_of_rejection, polled
from hookserver.services.inbox import draft_of
from hookserver.services.recorded import Found, Recorded, WorkNote, rejection
from hookserver.services.refusals import ADVICE
from hookserver.services.routing import Routing
from hookserver.services.summaries import title_of

from hookserver.cli.configured import read_config, recorded_directory
from hookserver.cli.words import NoSuchThing


def explain(args: argparse.Namespace) -> int:
    """Tell it; NoSuchThing if the id leads nowhere."""
    data = recorded_directory(args)
    if args.id.startswith("rej_"):
        refused = rejection(data, args.id)
        if refused is None:
            raise NoSuchThing(f"{args.id} is not among the rejections in {data / 'rejected'}; "
                              "the oldest ones make room for new ones")
        lines = story_of_rejection(*refused)
    else:
        recorded = Recorded(data)
        found = recorded.find(args.id)
        if found is None:
            raise NoSuchThing(f"{args.id} is not in {data / 'log'}; ids look like evt_k3f9q2_18342, rej_k3f9q2_12 or 18342 "
                              f"(a seq; the log holds {recorded.first_seq} to {recorded.last_seq})")
        lines = story_of_event(found, routes_today(args), recorded.work_about(found.record))
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def routes_today(args: argparse.Namespace) -> tuple[Path, Routing] | None:
    """The routes of the configuration, and its file; None when there is none that can be used."""
    try:
        conf = read_config(args)
    except ConfigError:
        return None     # a copy of the data can be looked at anywhere
    return conf.file, Routing(conf.routes, conf.notify)


def story_of_event(found: Found, today: tuple[Path, Routing] | None, work: list[WorkNote]) -> list[str]:
    """What it was, each check, what each route says, what was done, where it is."""
    record = found.record
    lines = [f"{record.id}: accepted, and on disk", "", row("what", f"{record.type or record.kind}, {title_of(record)}"),
             row("when", f"{record.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC")]
    if record.kind == EVENT:
        made = f"none: it was read in the list of the feed, {record.size} bytes" if polled(record) else "none: it was made by hookserver"
        lines += [row("request", f"{record.method} {record.path} from {record.client}, {record.size} bytes" if record.method else made), "", "The checks, in their order:"]
        lines += [row(name, verdict) for name, verdict in verdicts(record)]
        lines += trace(record, *today) if today else ["", "Its routes: there is no configuration to read them from."]
        lines += ["", "What was done with it:", *map(done, work)] if work else []
    first, last = found.batch_seqs
    lines += ["", "Where it is:", row("file", str(found.file)),
              row("bytes", f"{found.offset} to {found.offset + found.length}, seq {record.seq}"),
              row("batch", f"seq {first} to {last} were made durable by one sync"),
              row("see it", see_line(found)), row("its body", "GET /api/events/" + record.id + "/raw, byte for byte as it came")]
    return lines


def verdicts(record: Record) -> list[tuple[str, str]]:
    """Check -> its verdict; then where the event goes."""
    rows = [(check.check, check.detail) for check in checks_of(record)]
    return rows[:-1] + ([("goes to", ", ".join(record.to))] if record.to else []) + rows[-1:]


def trace(record: Record, file: Path, routing: Routing) -> list[str]:
    """What each of today's routes says of an event, with every comparison."""
    told, to_today = routing.retrace(record)
    if not told:
        return ["", f"Its routes: {file} has none."]
    lines = ["", f"Its routes, by {file} as it is now:"]
    for verdict in told:
        other = "; another source" if verdict.why == "source" else ""
        lines.append(row("yes" if verdict.matched else "no", f"{verdict.place}: {', '.join(verdict.sources)} -> {', '.join(verdict.to)}{other}"))
        lines += [row("", f"  {comparison(step)}") for step in verdict.steps]
    if list(to_today) != record.to:
        lines += [row("today", f"it would go to {', '.join(to_today) or 'nobody'}; when it came, the routes said {', '.join(record.to) or 'nobody'}")]
    return lines


def done(note: WorkNote) -> str:
    """``2026-11-22 03:45:38  ci: attempt 2 failed, retry (status 500); the next one at …``"""
    at = note.at.replace("T", " ")[:19]
    if note.to:
        return row(at, f" {note.why}: sent to {', '.join(note.to)} again")
    outcome = "" if not note.cause else f" ({note.cause}{'' if note.status is None else f' {note.status}'})"
    attempt = f"attempt {note.attempt}: " if note.attempt else ""
    following = f"; the next one at {note.next_at.replace('T', ' ')[:19]}" if note.next_at else ""
    return row(at, f" {note.target or note.task}: {attempt}{note.state or note.kind}{outcome}{following}")


def comparison(step: Step) -> str:
    """``no   payload.n is above 5; it is 3``"""
    where = f"({step.where}) " if step.where else ""
    return f"{'yes' if step.ok else 'no':<5}{where}{step.field} {step.test} {step.expected}".rstrip() + f"; it is {step.actual}"


def story_of_rejection(refused, file: Path) -> list[str]:
    """What was asked, which check failed and what that means, where it is."""
    status, meaning = CODES.get(refused.cause, (refused.status, ""))
    lines = [f"{refused.id}: refused with {refused.status}, {refused.cause}", "",
             row("when", refused.at.replace("T", " ").replace("Z", " UTC")),
             row("request", f"{refused.method} {refused.path} from {refused.client}, {refused.size} bytes"),
             row("source", refused.source or "none"), "", "The checks, in their order:"]
    lines += [row(check.check, f"FAILED: {check.detail}" if check.ok is False else check.detail)
              for check in checks_of_rejection(refused)]
    lines += ["", row("meaning", meaning or refused.message)]
    if refused.hint:
        lines.append(row("told", refused.hint))
    if refused.cause in ADVICE:
        lines.append(row("what to do", ADVICE[refused.cause]))
    if refused.cause == "unmatched":
        lines += ["", "A source that it may be meant for:", *(row("", line) for line in draft_of(refused, ()).yaml.splitlines())]
    kept = {"whole": "kept whole", "cut": "its beginning is kept", "none": "not read or not kept"}
    return lines + ["", "Where it is:", row("file", str(file)), row("body", kept.get(refused.body, refused.body)),
                    row("see it", f"jq 'select(.id == \"{refused.id}\")' {shlex.quote(str(file))}")]


def see_line(found: Found) -> str:
    """A command that shows the record, and reads nothing else."""
    return f"tail -c +{found.offset + 1} {shlex.quote(str(found.file))} | head -n 1 | jq ."


def row(name: str, text: str) -> str:
    """One line of the story; a sender's text cannot break out of it."""
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return f"  {name:<13}{clean}"
