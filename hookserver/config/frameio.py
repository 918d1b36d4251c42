"""The keys of a source of type ``frameio``, and what they become."""

from __future__ import annotations

import msgspec

from hookserver.config.registered import REGISTER, Register, kept, kept_file
from hookserver.config.secrets import Context
from hookserver.config.sections import Key, Section
from hookserver.config.terms import Terms
from hookserver.config.tree import Node, Place, Table
from hookserver.config.values import SECRETS, TEXT, Kind, duration, text_of
from hookserver.core.asset_words import LABELS, WORD, label_of, word_of
from hookserver.core.ratelimit import Rate

TYPE = "frameio"
PATH = "/frameio-webhook"
WINDOW = 120      # seconds: genuine events can be equal byte by byte, so copies are known for a short time only
API = "https://api.frame.io"


class Status(msgspec.Struct, frozen=True):
    """What a word of Frame.io stands for: the column it belongs to, and what people call that."""

    key: str
    label: str


class FrameioSource(msgspec.Struct, frozen=True, kw_only=True):
    """``secrets`` may be empty: ``verify: none``, or a secret not made yet. ``token`` None: nothing is looked up. ``statuses``: word -> status."""

    name: str
    path: str
    secrets: tuple[bytes, ...]
    verify: str  # "signature" or "none"
    tolerance: float
    reject_status: int
    dedup_window: float
    token: str | None
    account: str | None
    api: str
    status_field: str
    statuses: dict[str, Status]
    action: tuple[str, str]
    register: Register | None = None    # how the webhook is registered by ourselves
    body: int | None = None  # None: limits.body
    rate: Rate | None = None  # None: limits.rate
    terms: Terms = Terms()
    type: str = TYPE

    def __repr__(self) -> str:
        return f"FrameioSource(name={self.name!r}, <{len(self.secrets)} secrets hidden>)"

    @property
    def paths(self) -> dict[str, str]:
        """The source's name -> where Frame.io posts to."""
        return {self.name: self.path}

    @property
    def unsigned(self) -> list[str]:
        """The names in ``paths`` that take unsigned requests."""
        return [self.name] if self.verify == "none" else []

    def shown(self, hidden: str) -> dict:
        """The settings of its own as JSON, with ``hidden`` for each secret."""
        return {"path": self.path, "verify": self.verify, "secrets": [hidden] * len(self.secrets), "tolerance": self.tolerance,
                "reject_status": self.reject_status, "token": hidden if self.token else None, "account": self.account, "api": self.api,
                "status_field": self.status_field, "statuses": {word: status.label for word, status in self.statuses.items()},
                "register": None if self.register is None else self.register.shown()}

    def status_of(self, word: str) -> Status:
        """What a word stands for."""
        return self.statuses.get(word) or Status(word, label_of(word))


def build(name: str, values: dict, place: Place, context: Context) -> FrameioSource:
    """The source of these values. Raises ConfigError."""
    if values["verify"] not in (None, "none"):
        raise place.below("verify", place.line).error("is not known here: how Frame.io signs is known", "give its secrets")
    unsigned = values["verify"] == "none"
    if unsigned:
        context.warn(place, "takes unsigned requests (verify: none): anybody can send events")
    elif values["secrets"] is None and values["register"] is None:
        raise place.below("secrets", place.line).error("is missing", 'secrets: ["${FRAMEIO_SECRET}"]; to take unsigned requests, say verify: none')
    if values["dedup"]["key"] is not None:
        raise place.below("dedup.key", place.line).error("is not a key here; Frame.io's events carry no id")
    if values["register"] is not None:
        for key in ("token", "account"):
            if not values[key]:
                raise place.below(key, place.line).error("is missing", "register needs it, to register the webhook")
    window = values["dedup"]["window"]
    return FrameioSource(
        name=name, path=values["path"] or PATH, secrets=(values["secrets"] or ()) + _kept_secrets(name, values, context), verify="none" if unsigned else "signature",
        tolerance=values["tolerance"], reject_status=values["reject_status"] or 401, dedup_window=WINDOW if window is None else window,
        token=values["token"] or None, account=values["account"], api=values["api"] or API, status_field=values["status_field"],
        statuses=values["statuses"] or {}, action=values["action"], register=values["register"], **values["limits"])


def _kept_secrets(name: str, values: dict, context: Context) -> tuple[bytes, ...]:
    """Those that Frame.io gave when the webhook was registered."""
    found = kept(kept_file(context.data, name)) if values["register"] is not None and context.data is not None else None
    return tuple(secret.encode() for secret in found.secrets) if found else ()


def _statuses(node: Node, context: Context) -> dict[str, Status]:
    """Word -> status. A value that is itself a word of the built-in table puts the word into that column; any other text is a label."""
    if not isinstance(node, Table):
        raise node.place.error("must be a mapping of Frame.io's words to statuses", "for example {in_progress: processing}")
    found = {}
    for name, value in node.entries.items():
        word, said = word_of(name), text_of(value, context)
        if not word or len(name) > WORD:
            raise node.key_places[name].error(f"must be a word of 1 to {WORD} characters")
        if word in found:
            raise node.key_places[name].error(f"is the word {word}, which stands here already")
        same = word_of(said)
        found[word] = Status(same, LABELS[same]) if same in LABELS else Status(word, said)
    # A word in the column of another one goes by that one's label, wherever it stands.
    return {word: found.get(status.key, status) for word, status in found.items()}


STATUSES = Kind("mapping of words to statuses", _statuses, {"type": "object", "additionalProperties": {"type": "string"}})

ACTION = Section({
    "title": Key(TEXT, "Received", "Title of the answer to a custom action."),
    "description": Key(TEXT, "The request has been taken.", "What is said below the title."),
}, lambda values, place, context: (values["title"], values["description"]))

OF = (TYPE,)

KEYS = {
    "secrets": Key(SECRETS, "", "Signing secrets of the webhook; any one of them may match. Needed unless verify is none.", OF),
    "tolerance": Key(duration(1), "5m", "How far the signed time may be off, either way.", OF),
    "account": Key(TEXT, "", "Account id for the API; default: the one that an event names.", OF),
    "status_field": Key(TEXT, "Status", "Name of the metadata field that holds what reviewers decided.", OF),
    "statuses": Key(STATUSES, "", "What Frame.io's words for a status stand for, beside the known ones: one of these, or a label of your own.", OF),
    "register": Key(REGISTER, "", "Registers the webhook at Frame.io when our address has changed; needs token and account. The secret is then kept in data/.", OF),
    "action": Key(ACTION, "{}", "What is answered to a custom action.", OF),
}
