"""Mail: one message for one event or notice, handed to a mail server.

The connection is made on the loop, as all of ours are. ``smtplib`` then speaks to the server, in a thread of the destination's
own. It has no limit for the whole of a conversation, so we set one: when the time is up the connection is shut, and the
thread comes back. Certificates are always checked (RFC 8314; STARTTLS: RFC 3207), and what smtplib would take without
end, the lines of a reply, ends.

4yz is tried again, 5yz is final (RFC 5321, 4.2.1). A mail that some of its recipients may get is a success: to send it again
would send it to them twice.
"""

from __future__ import annotations

import asyncio
import base64
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

import msgspec

from hookserver.config.model import EmailDestination
from hookserver.core.hiding import hidden
from hookserver.core.mails import address, mail, subject_of, text_of
from hookserver.core.messages import is_ours, message, one_line
from hookserver.core.records import BadLine
from hookserver.core.tasks import NOTE, Outcome
from hookserver.core.templates import Template, Values, compile_template
from hookserver.tasks.connect import Connector, Unreachable, tls_trouble
from hookserver.tasks.work import Work

MOST_REPLY = 1 << 20    # bytes that a server may say in one conversation
FAREWELL = 2.0          # seconds for QUIT, when the mail has been taken


class EmailPerformer:
    """Makes the attempts of one destination. An event is told by the destination's templates, what we say ourselves by our words."""

    def __init__(self, destination: EmailDestination, connector: Connector):
        """Raises ValueError for a template that the configuration should have refused."""
        self._to, self._connector = destination, connector
        self._subject = _compiled(destination.subject)
        self._text = _compiled(destination.text)
        self._threads = ThreadPoolExecutor(destination.concurrency, thread_name_prefix=f"mail-{destination.name}")
        self._hide = _logins(destination)

    async def perform(self, work: Work) -> Outcome:
        try:
            subject, text = self._words(work)
            content = mail(sender=self._to.sender, to=self._to.to, subject=subject, text=text, task=work.task.id, at_ms=work.at_ms)
        except BadLine as problem:
            return Outcome(False, "template", f"the record cannot be read: {problem}", final=True)
        except ValueError as problem:
            return Outcome(False, "template", f"no mail can be made of it: {problem}"[:NOTE], final=True)
        outcome = await self._send(content, work.timeout)
        request = {"server": f"{self._to.host}:{self._to.port}", "to": list(self._to.to), "subject": one_line(subject, 200), "size": len(content)}
        return msgspec.structs.replace(outcome, note=hidden(one_line(outcome.note, NOTE), self._hide), request=request)

    async def close(self) -> None:
        """Threads that are still at it are let go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _send(self, content: bytes, timeout: float) -> Outcome:
        talk = _Talk(self._to, content)
        try:
            async with asyncio.timeout(timeout):
                line, _ = await self._connector.reach(self._to.host, self._to.port, phase=talk.enter)
                talk.begin(line, timeout)
                return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._threads, talk.outcome))
        except Unreachable as trouble:
            return Outcome(False, trouble.cause, trouble.note)
        except TimeoutError:
            if talk.taken:
                return _taken({})
            return Outcome(False, "timeout", f"no end within {timeout:g} s; it was waiting for {talk.phase}")
        finally:
            talk.cut()

    def _words(self, work: Work) -> tuple[str, str]:
        """Subject and text. Raises BadLine."""
        values = Values(work.line, work.task, work.number)
        ours = message(values)
        if is_ours(values):
            return subject_of(ours), text_of(ours)
        return (self._subject.render(values) if self._subject else subject_of(ours),
                self._text.render(values) if self._text else text_of(ours))


class _Talk:
    """One conversation. ``phase``: what is being waited for; ``taken``: the mail is the server's now."""

    def __init__(self, destination: EmailDestination, content: bytes):
        self._to, self._content = destination, content
        self._line: socket.socket | None = None     # the loop's handle on the connection
        self._own: socket.socket | None = None      # the thread's
        self.phase, self.taken = "its turn", False

    def enter(self, phase: str) -> None:
        """From now on this is waited for."""
        self.phase = phase

    def begin(self, line: socket.socket, timeout: float) -> None:
        """The connection stands; the thread gets a handle of its own, so that neither closes what the other still uses."""
        line.settimeout(timeout)
        self._line, self._own = line, line.dup()
        self.phase = "its turn"

    def cut(self) -> None:
        """From the loop: whatever the thread waits for, it shall wait no more."""
        if self._line is not None:
            try:
                self._line.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass    # it is over already
            self._line.close()

    def outcome(self) -> Outcome:
        """In a thread: the whole conversation, and what came of it. Never raises for what the server does."""
        try:
            return _taken(self._converse())
        except smtplib.SMTPRecipientsRefused as refused:
            return _refused_by_all(refused.recipients)
        except smtplib.SMTPResponseException as answer:
            return _answered(answer.smtp_code, answer.smtp_error, self.phase)
        except smtplib.SMTPServerDisconnected as error:
            return Outcome(False, "reset", f"{error} ({self.phase})")
        except smtplib.SMTPException as error:
            return Outcome(False, "tls" if self.phase == "STARTTLS" else "smtp", f"{error} ({self.phase})")
        except ssl.SSLError as error:
            return Outcome(False, "tls", f"{tls_trouble(error)} ({self.phase})")
        except OSError as error:
            return Outcome(False, "reset", f"{error.strerror or error} ({self.phase})")
        except UnicodeEncodeError:
            return Outcome(False, "invalid", f"characters that are not ASCII, which cannot be sent ({self.phase})", final=True)
        except (ValueError, EOFError) as error:
            return Outcome(False, "protocol", f"{error} ({self.phase})")

    def _converse(self) -> dict[str, tuple[int, bytes]]:
        """Gives the recipients for whom it was not taken, with the reasons."""
        to = self._to
        self.phase = "the TLS handshake" if to.tls == "tls" else "the greeting"
        client = _Client(to, self._own)
        try:
            client.greet()
            if to.tls == "starttls":
                self.phase = "STARTTLS"
                client.starttls(context=_context(to))
                client.ehlo_or_helo_if_needed()
            if to.user is not None and to.password is not None:
                self.phase = "the login"
                client.login(to.user, to.password)
            self.phase = "the mail"
            refused = client.sendmail(address(to.sender), [address(mailbox) for mailbox in to.to], self._content)
            self.taken = True
            client.farewell()
        finally:
            client.close()
        return refused


class _Client(smtplib.SMTP):
    """smtplib's, over a connection that stands."""

    def __init__(self, to: EmailDestination, connection: socket.socket):
        self._to, self._connection = to, connection
        super().__init__(local_hostname=_own_name(connection))     # does not connect without a host
        self._host = to.host    # the name that STARTTLS checks the certificate against

    def greet(self) -> None:
        """Take up the connection, and say who we are. Raises SMTPResponseException when it does not want us."""
        code, words = self.connect(self._to.host, self._to.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, words)
        self.ehlo_or_helo_if_needed()

    def farewell(self) -> None:
        """The mail has been taken; nothing that happens now changes that."""
        try:
            self.sock.settimeout(FAREWELL)
            self.quit()
        except (OSError, ValueError):
            pass    # said to a server that has gone

    def getreply(self) -> tuple[int, bytes]:
        """As smtplib's, which would take lines for ever."""
        if self.file is None:
            self.file = _Bounded(self.sock.makefile("rb"))
        return super().getreply()

    def close(self) -> None:
        """The connection, too, when it was never taken up."""
        super().close()
        self._connection.close()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        if self._to.tls == "tls":
            self._connection = _context(self._to).wrap_socket(self._connection, server_hostname=host)
        return self._connection


class _Bounded:
    """The lines of a server, up to a limit."""

    def __init__(self, file):
        self._file, self._left = file, MOST_REPLY

    def readline(self, most: int) -> bytes:
        line = self._file.readline(most)
        self._left -= len(line)
        if self._left < 0:
            raise ValueError(f"the server has said more than {MOST_REPLY >> 20} MiB")
        return line

    def close(self) -> None:
        self._file.close()


def _compiled(text: str | None) -> Template | None:
    return None if text is None else compile_template(text)


def _context(to: EmailDestination) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=None if to.ca is None else str(to.ca))


def _own_name(connection: socket.socket) -> str:
    """Our address, for EHLO (RFC 5321, 4.1.3). Not the name, as smtplib has it: for that it asks the name servers."""
    text = str(connection.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{text}]" if ":" in text else f"[{text}]"


def _logins(to: EmailDestination) -> tuple[str, ...]:
    """All forms in which a server could repeat the password."""
    if to.user is None or to.password is None:
        return ()
    both = f"\0{to.user}\0{to.password}".encode()
    return to.password, base64.b64encode(both).decode(), base64.b64encode(to.password.encode()).decode()


def _taken(refused: dict[str, tuple[int, bytes]]) -> Outcome:
    return Outcome(True, "ok", "; ".join(f"not for {who}: {_words(code, said)}" for who, (code, said) in refused.items()), status=250)


def _refused_by_all(refused: dict[str, tuple[int, bytes]]) -> Outcome:
    """Tried again if that can help any of them."""
    who, (code, said) = min(refused.items(), key=lambda entry: entry[1][0])
    return _answered(code, said, f"recipient {who}")


def _answered(code: int, said: bytes | str, phase: str) -> Outcome:
    if not 400 <= code <= 599:
        return Outcome(False, "protocol", f"an answer that makes no sense here: {_words(code, said)} ({phase})")
    return Outcome(False, "smtp", f"{_words(code, said)} ({phase})", status=code, final=code >= 500)


def _words(code: int, said: bytes | str) -> str:
    return f"{code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
