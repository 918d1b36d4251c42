"""The words of the command line: every command, its options, and help that teaches."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path

from hookserver import __version__
from hookserver.errors import HookserverError


class UsageError(HookserverError):
    """The words were read, but ask for something that cannot be (exit code 2)."""


class NoSuchThing(HookserverError):
    """What was asked for is not there (exit code 1)."""


def build_parser() -> argparse.ArgumentParser:
    """The parser. Each command sets ``run``: arguments -> exit code."""
    parser = argparse.ArgumentParser(
        prog="hookserver", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="One place where every webhook lands: verified, kept on disk, understood and shown.",
        epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"hookserver {__version__}")
    add_common(parser, Path("conf.yaml"), None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (add_serve, add_demo, add_send, add_check, add_tail, add_explain, add_replay, add_jobs, add_feed, add_tunnel, add_acrcloud, add_verify, add_rebuild):
        add(commands)
    return parser


def add_common(parser: argparse.ArgumentParser, conf: object, data: object) -> None:
    """-c and --data, taken before and after the command alike."""
    parser.add_argument("-c", "--conf", type=Path, default=conf, metavar="FILE",
                        help="the configuration (default: conf.yaml)")
    parser.add_argument("--data", type=Path, default=data, metavar="DIR",
                        help="the data directory, instead of the one the configuration names")


def command(commands, name: str, place: str, brief: str, text: str) -> argparse.ArgumentParser:
    """One command. ``place`` is "module:function" in this package, imported only when it runs."""
    parser = commands.add_parser(name, help=brief, description=text.partition("\n\n")[0],
                                 epilog=text.partition("\n\n")[2] or None,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, argparse.SUPPRESS, argparse.SUPPRESS)
    parser.set_defaults(run=later(place))
    return parser


def later(place: str) -> Callable[[argparse.Namespace], int]:
    """A function that imports the command's module when it is called: ``tail`` need not load the server."""
    module, _, function = place.partition(":")
    return lambda args: getattr(importlib.import_module(f"hookserver.cli.{module}"), function)(args)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def port_number(text: str) -> int:
    """A TCP port; 0 means any free one."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("must be between 0 and 65535")
    return number


def speed(text: str) -> float:
    """So many a second, more than 0; a final /s is allowed."""
    number = float(text.removesuffix("/s"))
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def add_serve(commands) -> None:
    """serve"""
    parser = command(commands, "serve", "serve:serve", "run the server", SERVE)
    parser.add_argument("--host", help="listen on this address instead of server.host")
    parser.add_argument("--port", type=port_number, help="listen on this port instead of server.port; 0 picks a free one")


def add_demo(commands) -> None:
    """demo"""
    parser = command(commands, "demo", "demo:demo", "a server with simulated senders, to look at", DEMO)
    parser.add_argument("--port", type=port_number, default=0, help="listen on this port (default: a free one)")
    parser.add_argument("--rate", type=speed, default=1.5, help="simulated events a second (default: 1.5)")


def add_send(commands) -> None:
    """send"""
    parser = command(commands, "send", "send:send", "build, sign and post realistic samples", SEND)
    parser.add_argument("source", help="name of the source in the configuration")
    parser.add_argument("--count", type=positive, default=100, metavar="N", help="how many events (default: 100)")
    parser.add_argument("--rate", type=speed, metavar="R",
                        help="so many a second, stamped with the present; without it the events tell of the "
                             "last hour and go out as fast as the server takes them")
    parser.add_argument("--channels", type=positive, metavar="N", help="so many channels (default: what suits the count)")
    parser.add_argument("--app", metavar="ID", help="send for this app (default: the first of the source)")
    parser.add_argument("--url", help="send to this server, e.g. http://127.0.0.1:8080 (default: from the configuration)")
    parser.add_argument("--concurrency", type=positive, default=4, metavar="N", help="connections (default: 4)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="the private key of a sender whose public key is configured (discord, sendgrid, telnyx, paypal, sns)")
    parser.add_argument("--webhook", metavar="URL", help="jobs: where the end of each job is told")
    parser.add_argument("--bad-signature", action="store_true", help="sign with a wrong secret; 401 or 403 is then what is expected")


def add_check(commands) -> None:
    """check"""
    parser = command(commands, "check", "check:check", "validate the configuration and explain it", CHECK)
    parser.add_argument("--sample", action="store_true", help="print a configuration to start from, and do nothing else")
    parser.add_argument("--since", metavar="WHEN", help="tell what this configuration would have done to the traffic since then: "
                                                        "7d (ago), 2026-11-22, 2026-11-22T03:45:38Z")


def add_tail(commands) -> None:
    """tail"""
    parser = command(commands, "tail", "tail:tail", "show the newest events, and follow", TAIL)
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what arrives")
    parser.add_argument("-n", "--lines", type=int, default=10, metavar="N", help="begin with the last N (default: 10)")
    parser.add_argument("--source", help="only this source")
    parser.add_argument("--type", help="only this event type, e.g. rtc.broadcaster_joined")
    parser.add_argument("--json", action="store_true", help="the lines of the log, byte for byte")


def add_explain(commands) -> None:
    """explain"""
    parser = command(commands, "explain", "explain:explain", "tell the story of one event or rejection", EXPLAIN)
    parser.add_argument("id", metavar="ID", help="the id of an event (evt_…) or a rejection, or a bare seq")


def add_jobs(commands) -> None:
    """jobs"""
    parser = command(commands, "jobs", "jobs:jobs", "list jobs, or see how one stands", JOBS)
    parser.add_argument("id", metavar="ID", nargs="?", help="a job's id; without it, all jobs are listed")
    parser.add_argument("--status", choices=("accepted", "processing", "completed", "partially_completed", "failed"), help="only these")
    parser.add_argument("-n", "--count", type=positive, default=50, metavar="N", help="list at most N (default: 50)")
    parser.add_argument("--results", action="store_true", help="what has been made of the lots")
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="ask again until the job has ended, at most so long")
    parser.add_argument("--url", help="the running server, e.g. http://127.0.0.1:8080 (default: from the configuration)")
    parser.add_argument("--service", metavar="URL", help="ask the job service at this address instead of the running server")
    parser.add_argument("--source", metavar="NAME", help="when the job has ended there, give the running server the message that its "
                                                         "webhook did not bring, at this source")


def add_feed(commands) -> None:
    """feed"""
    parser = command(commands, "feed", "feed:status", "try a feed's list, and see how feeds are", FEED)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    fetch = command(actions, "fetch", "feed:fetch", "fetch the list now and show what is in it", FEED)
    status = command(actions, "status", "feed:status", "how the feeds of the running server are", FEED)
    status.add_argument("--url", help="the running server, e.g. http://127.0.0.1:8080 (default: from the configuration)")
    for action in (fetch, status):
        action.add_argument("name", metavar="NAME", nargs="?", help="the feed; fetch needs it when there are several")
        action.add_argument("--json", action="store_true", help="as JSON")


def add_acrcloud(commands) -> None:
    """acrcloud"""
    parser = command(commands, "acrcloud", "acrcloud:upload", "hand in songs, and see the callback URL", ACRCLOUD)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    upload = command(actions, "upload", "acrcloud:upload", "hand in songs", ACRCLOUD)
    upload.add_argument("files", metavar="FILE", nargs="+", help="files, or URLs of songs")
    upload.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="wait for the results, at most so long, and tell them")
    upload.add_argument("--url", help="the running server, e.g. http://127.0.0.1:8080 (default: from the configuration)")
    callback = command(actions, "callback-url", "acrcloud:callback_url", "print where ACRCloud has to post its results", ACRCLOUD)
    for action in (upload, callback):
        action.add_argument("--source", metavar="NAME", help="the source; upload needs it when there are several of type acrcloud")


def add_replay(commands) -> None:
    """replay"""
    parser = command(commands, "replay", "replay:replay", "send events or refused requests again", REPLAY)
    parser.add_argument("id", metavar="ID", nargs="?", help="the id of one event (evt_…) or one rejection (rej_…)")
    parser.add_argument("--rejections", action="store_true", help="refused requests instead of events")
    parser.add_argument("--source", help="only this source")
    parser.add_argument("--type", help="only events of this type")
    parser.add_argument("--cause", help="only rejections with this cause, e.g. signature_mismatch")
    parser.add_argument("--since", metavar="WHEN", help="only what came since then: 2h (ago), 7d, 2026-11-22, 2026-11-22T03:45:38Z")
    parser.add_argument("--until", metavar="WHEN", help="only what came until then; a day includes its end")
    parser.add_argument("--to", action="append", default=[], metavar="NAME",
                        help="events only: of the destinations that the routes choose, only this one; may be given again")
    parser.add_argument("--dry-run", action="store_true", help="tell what would happen, and do nothing")
    parser.add_argument("--show", type=int, default=20, metavar="N", help="name the first N (default: 20)")
    parser.add_argument("--url", help="the running server, e.g. http://127.0.0.1:8080 (default: from the configuration)")


def add_tunnel(commands) -> None:
    """tunnel"""
    parser = command(commands, "tunnel", "tunnel:tunnel", "try out the tunnel to the internet", TUNNEL)
    parser.add_argument("action", choices=("test",), help="open a tunnel, send one request through it, close it")
    parser.add_argument("--wait", type=positive, default=60, metavar="SECONDS", help="patience with the tunnel, and again with the request (default: 60)")


def add_verify(commands) -> None:
    """verify"""
    command(commands, "verify", "prove:verify", "prove that the store is whole", VERIFY)


def add_rebuild(commands) -> None:
    """rebuild"""
    parser = command(commands, "rebuild", "prove:rebuild", "make everything derived again, from the log", REBUILD)
    parser.add_argument("--check", action="store_true", help="change nothing; compare with what is on disk")


EPILOG = """\
first steps:
  hookserver serve                 start; prints the dashboard's address and the URLs for senders
  hookserver send calls            in a second terminal: 100 signed events
  hookserver tail -f               watch them arrive
  hookserver explain ID            why was it accepted, or refused?

exit codes: 0 ok, 1 a check failed or nothing found, 2 usage, 74 input/output, 78 configuration
"""

SERVE = """\
Run the server until SIGTERM or Ctrl-C. It is ready when GET /health answers 200.

examples:
  hookserver serve
  hookserver serve -c /etc/hookserver/conf.yaml --data /var/lib/hookserver
  hookserver serve --port 0        any free port; the address is printed
"""

DEMO = """\
Run a server on a temporary directory and a free port, with simulated calls and some requests that
must be refused. Ctrl-C ends it and removes the directory.

examples:
  hookserver demo
  hookserver demo --rate 20
"""

SEND = """\
Build events that look like the provider's own, sign them with the configured secret and post them
to a running server. Ends with a summary; exit code 1 if an answer was not the expected one.

For jobs: jobs of some lots each, if conf.yaml has a job service.
For a source of type agora: calls (RTC channel events), and beside them Cloud Recording, Media Push and Media Pull.
For acrcloud: callbacks with results. For frameio: films that are uploaded, reviewed, approved. For a preset: events as that
sender's documents show them. For any other generic source: events whose type and id stand where conf.yaml looks for them.

examples:
  hookserver send calls
  hookserver send calls --count 5000 --concurrency 16
  hookserver send calls --rate 2 --count 600       ten minutes, as if live
  hookserver send github --count 20                pushes, pull requests, issues
  hookserver send jobs --count 3                   three jobs for the job service
  hookserver send calls --bad-signature --count 3  something for the page of rejections
"""

CHECK = """\
Validate the configuration. Prints where it listens, the URLs to enter at the senders, where secrets
come from (never a secret itself) and what to be warned of. Exit code 78 if it cannot be used.
With --since, every recorded request since then is judged by it once more: which events would go elsewhere or be refused,
which refused requests would pass. Nothing is changed; works beside a running server.

examples:
  hookserver check
  hookserver check -c new.yaml
  hookserver check -c new.yaml --since 7d
  hookserver check --sample > conf.yaml
"""

TAIL = """\
Show the newest events, one line each. Works beside a running server and without one.

examples:
  hookserver tail -f
  hookserver tail -n 100 --source calls --type rtc.audience_joined
  hookserver tail -n 1 --json | jq .payload
"""

EXPLAIN = """\
Tell the story of one event or rejection: every check with its verdict, what it means, where it is
stored and how to see it there. Works beside a running server and without one.

examples:
  hookserver explain evt_k3f9q2_18342
  hookserver explain 18342
"""

FEED = """\
Lists of files that are polled (section feeds of conf.yaml, or WEBHOOK_JSON_URL in the environment).

`feed fetch` asks for the list itself, whether a server runs or not, says what it would do about each
entry and which ones are broken, and keeps nothing. `feed status` asks the running server: when the list
came, what is wrong, how many files are in which state. Both exit with 1 when there is no list.

examples:
  hookserver feed fetch
  WEBHOOK_JSON_URL=https://example.com/api/downloads hookserver feed fetch downloads --json | jq length
  hookserver feed status"""

JOBS = """\
List the jobs of a running server, or tell how one stands. With --service another job service is asked: if its webhook
did not come, --source makes up for it. The message is signed with the source's own secret, and one that comes later is
recognised as a duplicate. Exit code 1 when there is no such job, or when it has not ended within --wait.

examples:
  hookserver jobs
  hookserver jobs 5017d3f0-5416-49b5-8471-d6aad042761c --wait 60 --results
  hookserver jobs 5017d3f0-5416-49b5-8471-d6aad042761c --service https://service.example --source done --wait 600
"""

ACRCLOUD = """\
upload hands songs to a running server, which keeps them and sends them on to ACRCloud; a URL is fetched by ACRCloud itself.
Exit code 1 when one was not taken, or, with --wait, when one has failed or was not analysed in time.
callback-url prints where ACRCloud has to post its results: enter it as Result Callback URL of the File Scanning container.

examples:
  hookserver acrcloud upload song.mp3 *.wav --wait 300
  hookserver acrcloud upload https://files.example.com/song.mp3
  hookserver acrcloud callback-url
"""

REPLAY = """\
Have a running server send again what it has kept. Events go to the destinations that today's routes choose, as
new tasks; their records stay as they are. Refused requests go through intake once more, with today's secrets and
paths: what passes becomes an event. Exit code 1 when nothing fits, or something was refused again.

examples:
  hookserver replay evt_k3f9q2_18342
  hookserver replay --source github --since 2h --to ci --dry-run
  hookserver replay --rejections --cause signature_mismatch --since 1d --dry-run
"""

TUNNEL = """\
Start cloudflared as the server would, wait until it is connected, send a request to its public address and see that it arrives
here. A running server is not disturbed. Exit code 1 when a step fails; what failed is told.

examples:
  hookserver tunnel test
  hookserver tunnel test --wait 20
"""

VERIFY = """\
Read the whole log, check every line, and compare the indexes with it. Works beside a running server.
Each finding names file, offset and seq range; exit code 1 if there is one.

examples:
  hookserver verify
  hookserver verify --data /backup/data
"""

REBUILD = """\
Indexes, sessions and counters are made from the log and nothing else. This makes them again; the
server must be stopped. With --check nothing is changed: a second set is made beside the first, in
memory, and compared. That works beside a running server too; exit code 1 on a difference.

examples:
  hookserver rebuild --check
  hookserver rebuild
"""
