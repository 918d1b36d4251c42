"""Mail, handed to real servers: aiosmtpd with and without TLS and a login, and servers that misbehave."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import email
import email.policy
import json
import socket
import ssl

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from hookserver.config.model import EmailDestination
from hookserver.core.retry import RetryPolicy
from hookserver.tasks.connect import Connector, Names
from hookserver.tasks.mail import EmailPerformer

from tests.tasks.conformance import SECRET, Conformance, lawful, notice, retried, told
from tests.tasks.deliveries import LOOPS, runner, work
from tests.tasks.endpoints import Authority, Endpoint

pytestmark = [pytest.mark.logs("mail.log|mail.debug|mail.warn"), pytest.mark.filterwarnings("ignore:Requiring AUTH")]


class Inbox:
    """What arrived: (sender, recipients, mail). ``refuse``: recipient, or "" for the whole mail -> the answer."""

    def __init__(self, refuse=()):
        self.taken: list[tuple[str, list[str], email.message.EmailMessage]] = []
        self.raw: list[bytes] = []
        self.refuse = dict(refuse)

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server, session, envelope):
        if "" in self.refuse:
            return self.refuse[""]
        self.raw.append(envelope.content)
        self.taken.append((envelope.mail_from, envelope.rcpt_tos, email.message_from_bytes(envelope.content.replace(b"\r\n", b"\n"), policy=email.policy.default)))
        return "250 taken"


@contextlib.contextmanager
def mail_server(inbox, *, context: ssl.SSLContext | None = None, at_once: bool = False, login: tuple[str, str] | None = None):
    """The port of an aiosmtpd that hands mail to ``inbox``; ``at_once``: TLS from the first byte, else by STARTTLS."""
    def check(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login.decode(), data.password.decode()) == login, handled=False)

    settings = {"tls_context": None if at_once else context, "require_starttls": bool(context) and not at_once}
    if login:
        settings |= {"authenticator": check, "auth_required": True, "auth_require_tls": not at_once}

    class OnTls(Controller):
        def factory(self):
            return SMTP(self.handler, **settings)

        def _trigger_server(self):      # its own speaks TLS with the server's settings, which no client can
            with socket.create_connection(("127.0.0.1", port)) as line, contextlib.ExitStack() as stack:
                if at_once:
                    trusting = ssl.create_default_context()
                    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
                    line = stack.enter_context(trusting.wrap_socket(line))
                line.recv(1024)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = OnTls(inbox, hostname="127.0.0.1", port=port, ssl_context=context if at_once else None)
    controller.start()
    try:
        yield port
    finally:
        controller.stop(no_assert=True)


def destination(port: int, **more) -> EmailDestination:
    return EmailDestination(**{"name": "post", "type": "email", "timeout": 20, "retry": RetryPolicy(), "host": "127.0.0.1", "port": port, "tls": "none",
                               "sender": "Hooks, Ünï <hooks@example.com>", "to": ("a@example.com",), "concurrency": 2} | more)


@pytest.fixture(params=LOOPS)
def post(request):
    """``post(destination, work)``: the outcome of one attempt."""
    async def one(to, of, connector):
        performer = EmailPerformer(to, connector)
        try:
            return await performer.perform(of)
        finally:
            await performer.close()
    return lambda to, of=None, connector=None: lawful(runner(request.param)(one(to, of or work(), connector or Connector())))


def script(*lines: bytes):
    """A server that says these lines, each after the first one upon something said by us; then it waits."""
    def behave(visit):
        visit.send(lines[0])
        for line in lines[1:]:
            visit._some()
            visit.send(line)
        visit.wait()
    return behave


class TestConformance(Conformance):
    @contextlib.contextmanager
    def healthy(self, home):
        with mail_server(Inbox()) as port:
            yield EmailPerformer(destination(port), Connector())

    @contextlib.contextmanager
    def silent(self, home):
        with Endpoint(script(b"220 hello\r\n")) as endpoint:
            yield EmailPerformer(destination(endpoint.port), Connector()), lambda: endpoint.visits > 0

    @contextlib.contextmanager
    def echo(self, home):
        def repeat(visit):
            visit.send(b"220 hello\r\n")
            visit._some()
            visit.send(b"250-me\r\n250 AUTH PLAIN\r\n")
            for _ in range(3):
                said = visit._some().strip()
                plain = base64.b64decode(said.rpartition(b" ")[2] + b"===").replace(b"\0", b" ") if b" " in said else b""
                visit.send(b"535 I do not take " + said + b" which is " + plain + b"\r\n")
        with Endpoint(repeat) as endpoint:
            yield EmailPerformer(destination(endpoint.port, user="hooks", password=SECRET), Connector())

    def says(*lines: bytes, **settings):
        """A server that goes by a script."""
        @contextlib.contextmanager
        def how(self, home):
            with Endpoint(script(*lines)) as endpoint:
                yield EmailPerformer(destination(endpoint.port, **settings), Connector())
        return how

    def does(behave, **settings):
        """A server that does this."""
        @contextlib.contextmanager
        def how(self, home):
            with Endpoint(behave) as endpoint:
                yield EmailPerformer(destination(endpoint.port, **settings), Connector())
        return how

    @contextlib.contextmanager
    def nobody(self, home):
        with Endpoint(b"") as endpoint:
            port = endpoint.port
        yield EmailPerformer(destination(port), Connector())

    @contextlib.contextmanager
    def nowhere(self, home):
        def unknown(name):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        yield EmailPerformer(destination(25, host="mail.invalid"), Connector(Names(unknown)))

    def endless(visit):
        while True:
            visit.send(b"220-and on\r\n" * 1000)

    troubles = {
        "nobody is there": (nobody, {"connect"}, False), "no such name": (nowhere, {"dns"}, False),
        "it goes at once": (does(lambda visit: None), {"reset"}, False), "it breaks off": (does(lambda visit: visit.reset()), {"reset", "connect"}, False),
        "it is something else": (says(b"SSH-2.0-OpenSSH_9\r\n"), {"protocol"}, False), "it greets for ever": (does(endless), {"protocol"}, False),
        "one endless line": (says(b"220 " + b"x" * 100_000), {"smtp", "protocol"}, True), "it is full": (says(b"421 busy\r\n"), {"smtp"}, False),
        "it is no mail server": (says(b"554 no SMTP here\r\n"), {"smtp"}, True), "it has no STARTTLS": (says(b"220 hi\r\n", b"250 me\r\n", tls="starttls"), {"tls"}, False),
        "it speaks no TLS": (says(b"220 hi\r\n", tls="tls"), {"tls"}, False), "TLS fails": (says(b"220 hi\r\n", b"250-me\r\n250 STARTTLS\r\n", b"220 go\r\n", b"no TLS at all, sorry\r\n",
                                                                                              tls="starttls"), {"tls"}, False),
        "no login there": (says(b"220 hi\r\n", b"250 me\r\n", user="u", password="p"), {"smtp"}, False),
        "a login of another kind": (says(b"220 hi\r\n", b"250-me\r\n250 AUTH GSSAPI\r\n", user="u", password="p"), {"smtp"}, False),
        "a password that cannot be sent": (says(b"220 hi\r\n", b"250-me\r\n250 AUTH PLAIN\r\n", user="u", password="pässwört"), {"invalid"}, True),
        "riddles at the login": (says(b"220 hi\r\n", b"250-me\r\n250 AUTH LOGIN\r\n", *[b"334 !\r\n"] * 20, user="u", password="p"), {"smtp", "protocol"}, False),
        "a strange answer to DATA": (says(b"220 hi\r\n", b"250 me\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 what\r\n", b"250 ok\r\n"), {"protocol"}, False),
    }


# -- what arrives ----------------------------------------------------------------------------------

def test_a_summary_with_all_headers(post):
    body = json.dumps({"channelName": "room", "nested": {"a": "b\r\nX: y"}, "name": "Ünï"}).encode()
    with mail_server(inbox := Inbox()) as port:
        outcome = post(destination(port, to=("Ada, Countess <a@example.com>", "b@example.com")), work(body))
    assert outcome.ok and outcome.status == 250 and outcome.request["to"] == ["Ada, Countess <a@example.com>", "b@example.com"]
    (sender, recipients, mail), = inbox.taken
    assert (sender, recipients) == ("hooks@example.com", ["a@example.com", "b@example.com"])
    assert {name: str(value) for name, value in mail.items() if name not in ("MIME-Version", "Content-Type", "Content-Transfer-Encoding", "X-Peer", "X-MailFrom", "X-RcptTo")} == {
        "From": '"Hooks, Ünï" <hooks@example.com>', "To": '"Ada, Countess" <a@example.com>, b@example.com', "Subject": "[hookserver] calls: 101",
        "Date": "Sun, 22 Nov 2026 12:00:00 +0000", "Message-ID": "<tsk_k3f9q2_7_0@example.com>", "Auto-Submitted": "auto-generated"}
    assert mail.get_content() == "calls: 101\n\nchannelName: room\nname: Ünï\nnested.a: b X: y\n\nevt_k3f9q2_7 · 2026-11-22T12:00:00.000Z\n"


@pytest.mark.parametrize("value", ["x\r\nBcc: evil@example.com", "x\nBcc: evil@example.com", "x\r\n\r\nbody", "x\r\n.\r\nMAIL FROM:<evil@example.com>\r\n", "\x00\x07", " ", "",
                                   "x" * 5000, "Ünï\u2028Bcc: y", "=?utf-8?q?Bcc=0D=0A?=", "\U0001f600" * 300, "a\rb", "x" * 990 + "\n.\n" + "y" * 2000])
def test_nothing_in_an_event_becomes_a_header_or_a_command(value):
    body = json.dumps({"a": value}).encode()
    with mail_server(inbox := Inbox()) as port:
        async def go():
            performer = EmailPerformer(destination(port, subject="S {payload.a}", text="T {payload.a}"), Connector())
            return await performer.perform(work(body)), await performer.close()
        outcome, _ = asyncio.run(go())
    assert lawful(outcome).ok and len(inbox.taken) == 1
    sender, recipients, mail = inbox.taken[0]
    assert (sender, recipients) == ("hooks@example.com", ["a@example.com"])
    assert set(mail.keys()) == {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding", "MIME-Version"}
    assert mail["Subject"].startswith("S") and mail.get_content().startswith("T ")
    assert all(len(line) <= 998 for line in inbox.raw[0].split(b"\r\n"))


def test_a_notice_is_told_in_its_own_words(post):
    with mail_server(inbox := Inbox()) as port:
        words = {"type": "destination.disabled", "text": "It is disabled.", "destination": "ci"}
        assert all(post(destination(port, subject="{type}", text="{payload.none}"), work).ok for work in (notice(words), told(words)))
    mails = [taken[2] for taken in inbox.taken]
    assert [mail["Subject"] for mail in mails] == ["[hookserver] destination.disabled", "[hookserver] scans: song.analyzed"]
    assert all(mail.get_content().startswith("It is disabled.\n\ndestination: ci\n") for mail in mails)


# -- TLS and logins --------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["starttls", "tls"])
def test_encrypted_and_with_a_login(post, tmp_path, how):
    authority = Authority(tmp_path)
    with mail_server(inbox := Inbox(), context=authority.context("127.0.0.1"), at_once=how == "tls", login=("hooks", SECRET)) as port:
        assert post(destination(port, tls=how, ca=authority.ca, user="hooks", password=SECRET)).ok
        wrong = post(destination(port, tls=how, ca=authority.ca, user="hooks", password="wrong-one"))
    assert (wrong.ok, wrong.cause, wrong.status, wrong.final) == (False, "smtp", 535, True) and "login" in wrong.note
    assert len(inbox.taken) == 1


@pytest.mark.parametrize("how", ["starttls", "tls"])
@pytest.mark.parametrize("names, settings, trusted, words", [
    (["127.0.0.1"], {"days": -1}, True, "expired"), (["other.example"], {}, True, "127.0.0.1"), (["127.0.0.1"], {"self_signed": True}, True, "self-signed"),
    (["127.0.0.1"], {}, False, "self-signed|unable to get"),
])
def test_a_certificate_that_is_wrong_is_never_taken(post, tmp_path, how, names, settings, trusted, words):
    authority = Authority(tmp_path)
    with mail_server(inbox := Inbox(), context=authority.context(*names, **settings), at_once=how == "tls") as port:
        outcome = post(destination(port, tls=how, ca=authority.ca if trusted else None, user="hooks", password=SECRET))
    assert (outcome.ok, outcome.cause) == (False, "tls") and any(word in outcome.note for word in words.split("|")), outcome
    assert retried(outcome) and not inbox.taken


# -- what servers answer ---------------------------------------------------------------------------

@pytest.mark.parametrize("code, final", [(421, False), (450, False), (452, False), (550, True), (552, True), (554, True)])
def test_4yz_is_tried_again_and_5yz_is_final(post, code, final):
    with mail_server(Inbox({"": f"{code} because"})) as port:
        outcome = post(destination(port))
    assert (outcome.ok, outcome.cause, outcome.status, outcome.final) == (False, "smtp", code, final) and "because" in outcome.note
    assert retried(outcome) != final


def test_some_recipients_are_enough_and_the_others_are_named(post):
    with mail_server(inbox := Inbox({"b@example.com": "550 unknown", "c@example.com": "450 later"})) as port:
        some = post(destination(port, to=("a@example.com", "b@example.com")))
        none = post(destination(port, to=("b@example.com",)))
        later = post(destination(port, to=("b@example.com", "c@example.com")))
    assert some.ok and some.note == "not for b@example.com: 550 unknown" and len(inbox.taken) == 1
    assert (none.status, none.final) == (550, True) and (later.status, later.final) == (450, False)


def test_what_happens_after_the_mail_was_taken_changes_nothing(post):
    steps = [b"220 hi\r\n", b"250 me\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 taken\r\n"]

    def behave(visit):
        visit.send(steps[0])
        for step in steps[1:-1]:
            visit._some()
            visit.send(step)
        said = b""
        while not said.endswith(b"\r\n.\r\n"):
            said += visit._some()
        visit.send(steps[-1])
        visit.reset()
    with Endpoint(behave) as endpoint:
        assert post(destination(endpoint.port)).ok
