"""``hookserver jobs``: jobs of a running server, or one of another job service."""

from __future__ import annotations

import argparse
import json
import time

from hookserver.config import Config, GenericSource
from hookserver.core.records import iso_ms
from hookserver.services.job_polling import ENDED, JobApi, NoAnswer, notification
from hookserver.services.senders import Connection

from hookserver.cli.configured import read_config, source_named
from hookserver.cli.send import address
from hookserver.cli.words import NoSuchThing, UsageError

PAUSES = (1, 2, 5, 10, 30)      # seconds between two questions


def jobs(args: argparse.Namespace) -> int:
    """List jobs, or tell of one. Exit code 1 when there is no such job, or when it has not ended in time."""
    if args.id is None:
        return list_jobs(args)
    if args.source is not None and args.service is None:
        raise UsageError("--source goes with --service")
    api = JobApi(args.service or args.url or address(read_config(args)), None if args.service else token_of(read_config(args)))
    status = waited(api, args.id, args.wait)
    print(json.dumps(asked(api.results, args.id) if args.results else status, indent=2, ensure_ascii=False))
    if status["status"] not in ENDED:
        return 1 if args.wait else 0
    return 0 if args.source is None else hand_in(args, status)


def list_jobs(args: argparse.Namespace) -> int:
    """One line for each job, those that run first."""
    conf = read_config(args)
    query = f"?limit={args.count}" + (f"&status={args.status}" if args.status else "")
    try:
        found = JobApi(args.url or address(conf), token_of(conf)).get(f"/api/jobs{query}")
    except NoAnswer as error:
        raise NoSuchThing(str(error)) from None
    for job in found["jobs"][:args.count]:
        failed = f", {job['failed_lots']} failed" if job["failed_lots"] else ""
        print(f"{job['job_id']}  {job['accepted_at']}  {job['status']:<19}  {job['completed_lots']}/{job['total_lots']} lots{failed}")
    return 0 if found["jobs"] else 1


def waited(api: JobApi, job_id: str, patience: float) -> dict:
    """How the job stands, once it has ended or ``patience`` seconds are over. An answer that does not come is asked for again."""
    end, pauses = time.monotonic() + patience, iter(PAUSES)
    while True:
        left = end - time.monotonic()
        try:
            status = api.status(job_id)
            if status.get("status") in ENDED or left <= 0:
                return {"status": None} | status
        except NoAnswer as error:
            if left <= 0 or error.status in (401, 403, 404):
                raise NoSuchThing(f"{job_id}: {error}") from None
        time.sleep(max(0.0, min(next(pauses, PAUSES[-1]), left)))


def asked(question, job_id: str) -> dict:
    """An answer. NoSuchThing when there is none."""
    try:
        return question(job_id)
    except NoAnswer as error:
        raise NoSuchThing(f"{job_id}: {error}") from None


def hand_in(args: argparse.Namespace, status: dict) -> int:
    """Give the running server the message that the webhook did not bring; one that came all the same makes it a duplicate."""
    conf = read_config(args)
    source = source_named(conf, args.source)
    if not isinstance(source, GenericSource) or source.preset != "jobs":
        raise UsageError(f"source {source.name} does not have the preset jobs")
    message = notification(status, iso_ms(time.time_ns() // 1_000_000), source.path, source.keys[0] if source.keys else None)
    reply = Connection(args.url or address(conf)).send(message)
    print(f"{source.name}: answered {reply.status or 'nothing'}" + (", it was there already" if reply.duplicate else ""))
    return 0 if reply.status == 200 else 1


def token_of(conf: Config) -> str:
    """The admin token in the data directory."""
    file = conf.data / "admin.token"
    try:
        return file.read_text("ascii").strip()
    except FileNotFoundError:
        raise NoSuchThing(f"{file} is not there; `hookserver serve` makes it at its first start") from None
