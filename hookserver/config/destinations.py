"""The keys of ``destinations``: where events are sent, how often it is tried, how fast."""

from __future__ import annotations

from hookserver.config.model import (Breaker, ChatDestination, Destination, EmailDestination, ExecDestination, HttpDestination,
                                     Signing)
from hookserver.config.outgoing import (ARGV, DIRECTORY, ENVIRONMENT, HEADER_NAME, HEADER_VALUE, HEADERS, HOST, KEYS, MAIL, MAILS,
                                        SECRET, SENT_TO, SIGNED, TEMPLATE, standard_key)
from hookserver.config.secrets import Context
from hookserver.config.sections import REQUIRED, Key, Section
from hookserver.config.tree import Place
from hookserver.config.values import FILE, RATE, SCHEDULE, SHARE, STATUSES, TEXT, choice, duration, number
from hookserver.core.retry import RetryPolicy

WEB, CHAT, EXEC, EMAIL = ("http",), ("discord", "slack"), ("exec",), ("email",)

#: What differs from type to type: (timeout in seconds, attempts at the same time).
_USUAL = {"exec": (600.0, 1), "email": (60.0, 2), "discord": (30.0, 2), "slack": (30.0, 2)}
_HTTP_USUAL = (30.0, 10)

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def retry_section(retry_on: str, jitter: str) -> Section:
    """The keys of a retry policy, with these defaults."""
    return Section({
        "schedule": Key(SCHEDULE, "[1m, 2m, 4m, 8m, 16m]", "Pauses before each further attempt; [] tries once only."),
        "retry_on": Key(STATUSES, retry_on, "HTTP statuses that are tried again. Time-outs and broken connections always are."),
        "jitter": Key(SHARE, jitter, "Share of a pause by which it varies."),
    }, lambda values, place, context: RetryPolicy(**values))


def _build_breaker(values: dict, place: Place, context: Context) -> Breaker:
    if values["longest"] < values["pause"]:
        raise place.below("longest", place.line).error("must not be shorter than pause")
    return Breaker(**values)


def _build_signing(values: dict, place: Place, context: Context) -> Signing:
    secrets = values.pop("secrets")
    if values["scheme"] == "hmac":
        return Signing(secrets=secrets, **values | {"prefix": values["prefix"] or ""})
    keys = []
    for secret in secrets:
        try:
            keys.append(standard_key(secret))
        except ValueError as problem:
            raise place.below("secrets", place.line).error(f"a secret {problem}") from None
    return Signing("standard", tuple(key for key, _ in keys if key), ed25519=tuple(seed for _, seed in keys if seed))


def _build_destination(values: dict, place: Place, context: Context) -> Destination:
    kind = values["type"]
    timeout, concurrency = _USUAL.get(kind, _HTTP_USUAL)
    values |= {"name": place.key.rpartition(".")[2], "timeout": values["timeout"] or timeout,
               "concurrency": values["concurrency"] or concurrency}
    if kind == "http":
        return HttpDestination(**values | {"headers": values["headers"] or {}, "user_agent": values["user_agent"] or ""})
    if kind == "exec":
        return ExecDestination(**values | {"env": values["env"] or {}, "cwd": values["cwd"] or context.data})
    if kind == "email":
        return _email(values, place, context)
    return ChatDestination(**values)


def _email(values: dict, place: Place, context: Context) -> EmailDestination:
    values["sender"] = values.pop("from")
    values["port"] = values["port"] or _PORTS[values["tls"]]
    if (values["user"] is None) != (values["password"] is None):
        raise place.error("user and password belong together")
    if values["tls"] == "none":
        if values["password"] is not None:
            raise place.error("would send the password in the clear", "tls: starttls, or leave user and password out")
        context.warn(place, "sends mail in the clear (tls: none)")
    return EmailDestination(**values)


SIGN = Section({
    "scheme": Key(choice("standard", "hmac"), REQUIRED, "standard is Standard Webhooks; hmac is one header with an HMAC."),
    "secrets": Key(KEYS, REQUIRED, "standard: whsec_ or whsk_ secrets, all of them sign; hmac: the first one signs."),
    "header": Key(HEADER_NAME, "X-Signature", "Header of the signature.", ("hmac",)),
    "algorithm": Key(choice("sha1", "sha256", "sha512"), "sha256", "Hash of the HMAC.", ("hmac",)),
    "encoding": Key(choice("hex", "base64", "base64url"), "hex", "How the digest is written.", ("hmac",)),
    "prefix": Key(HEADER_VALUE, "", "What stands before the digest, for example sha256=.", ("hmac",)),
    "signed": Key(SIGNED, "{body}", "What is signed: a template of {body}, {timestamp} and {id}.", ("hmac",)),
    "timestamp_header": Key(HEADER_NAME, "", "Header that gets the time in Unix seconds.", ("hmac",)),
}, _build_signing, lead="scheme")

BREAKER = Section({
    "failures": Key(number(1, 10_000), "5", "So many failures in a row open it: then nothing is sent for a while."),
    "pause": Key(duration(0.1), "30s", "How long; then one attempt is made. The pause doubles as long as that fails."),
    "longest": Key(duration(0.1), "10m", "The longest pause."),
}, _build_breaker)

DESTINATION = Section({
    "type": Key(choice("http", "exec", "discord", "slack", "email"), REQUIRED, "What kind of receiver it is."),
    "url": Key(SENT_TO, REQUIRED, "Where it is posted to.", WEB + CHAT),
    "method": Key(choice("POST", "PUT", "PATCH"), "POST", "HTTP method.", WEB),
    "headers": Key(HEADERS, "", "Headers of your own.", WEB),
    "sign": Key(SIGN, "", "How deliveries are signed.", WEB),
    "body": Key(TEMPLATE, "", "Template of the body; default: the event's own body, byte for byte.", WEB),
    "content_type": Key(HEADER_VALUE, "", "Content-Type; default: that of the event, or application/json with a template.", WEB),
    "user_agent": Key(HEADER_VALUE, "", "User-Agent; default: hookserver and its version.", WEB),
    "argv": Key(ARGV, REQUIRED, "Program and arguments; arguments are templates. The event's body comes on standard input.", EXEC),
    "cwd": Key(DIRECTORY, "", "Directory in which it runs; default: the data directory.", EXEC),
    "env": Key(ENVIRONMENT, "", "Variables added to a minimal environment.", EXEC),
    "username": Key(TEXT, "", "Name under which the message appears.", CHAT),
    "host": Key(HOST, REQUIRED, "Mail server.", EMAIL),
    "port": Key(number(1, 65535, "port"), "", "Its port; default: 587, with tls 465, without 25.", EMAIL),
    "tls": Key(choice("starttls", "tls", "none"), "starttls", "How the connection is encrypted; certificates are checked.", EMAIL),
    "user": Key(TEXT, "", "Login name, when the server wants one.", EMAIL),
    "password": Key(SECRET, "", "Its password.", EMAIL),
    "from": Key(MAIL, REQUIRED, "Sender of the mail.", EMAIL),
    "to": Key(MAILS, REQUIRED, "Who gets it.", EMAIL),
    "subject": Key(TEMPLATE, "", "Template of the subject; default: source and type.", EMAIL),
    "text": Key(TEMPLATE, "", "Template of the message; default: a summary of the event.", CHAT + EMAIL),
    "ca": Key(FILE, "", "Certificates to trust instead of the system's, PEM.", WEB + EMAIL),
    "timeout": Key(duration(0.1), "", "Time for one attempt; default: 30s, exec 10m, email 60s."),
    "retry": Key(retry_section("[408, 425, 429, 5xx]", "0.1"), "{}", "What is tried again, and when."),
    "breaker": Key(BREAKER, "{}", "When to leave a receiver alone that fails again and again."),
    "concurrency": Key(number(1, 1000), "", "Attempts at the same time; default: 10, exec 1, others 2."),
    "rate": Key(RATE, "", "Attempts begun in a time, at most."),
    "disable_after": Key(duration(1, forever="never"), "5d", "It is switched off when nothing but failure came for so long."),
}, _build_destination, lead="type")
