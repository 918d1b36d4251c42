"""The keys of ``jobs``: the job service and who does its work."""

from __future__ import annotations

from hookserver.config.destinations import retry_section
from hookserver.config.model import Jobs, Worker
from hookserver.config.outgoing import ARGV, HEADERS, KEYS, SENT_TO
from hookserver.config.secrets import Context
from hookserver.config.sections import REQUIRED, Key, Section
from hookserver.config.tree import Place
from hookserver.config.values import choice, duration, number


def _build_worker(values: dict, place: Place, context: Context) -> Worker:
    return Worker(**{name: value for name, value in values.items() if value is not None})


def _build_jobs(values: dict, place: Place, context: Context) -> Jobs:
    values["secrets"] = values.pop("secret")
    values["read"] = "token" if values["read"] == "token" else None
    return Jobs(**values)


WORKER = Section({
    "type": Key(choice("template", "http", "exec"), "template", "template is built in and makes plain descriptions from a lot's fields."),
    "url": Key(SENT_TO, REQUIRED, "Where a lot is posted to.", ("http",)),
    "headers": Key(HEADERS, "", "Headers of your own.", ("http",)),
    "argv": Key(ARGV, REQUIRED, "Program and arguments. The lot comes on standard input, the answer goes to standard output.", ("exec",)),
    "timeout": Key(duration(0.1), "60s", "Time for one attempt at one lot."),
    "concurrency": Key(number(1, 1000), "4", "Lots at the same time."),
    "patience": Key(duration(1), "1h", "How long a worker that took a lot may take to answer later."),
    "retry": Key(retry_section("[408, 425, 429, 5xx]", "0.1"), "{}", "What is tried again, and when."),
}, _build_worker, lead="type")

JOBS = Section({
    "secret": Key(KEYS, REQUIRED, "Shared with the clients: it checks what they send, and signs what they get. Of several, the first one signs."),
    "worker": Key(WORKER, "{}", "Who makes the descriptions."),
    "retry": Key(retry_section("[5xx]", "0"), "{}", "When the webhook of a finished job is sent again."),
    "read": Key(choice("id", "token"), "id", "Who may read status and results: whoever knows the job's id, or only with the admin token."),
    "timeout": Key(duration(0.1), "30s", "Time for one attempt at the webhook."),
    "max_lots": Key(number(1, 100_000), "1000", "Lots in one job, at most."),
    "idempotency": Key(duration(1), "1d", "For how long a second job with the same Idempotency-Key is taken for the first one."),
}, _build_jobs)
