"""What an event of Frame.io says: about which thing, and in which word for its status.

Three shapes are read. V4 (``type``, ``resource: {id, type}``) and legacy (the same with ``team``) tell next to nothing else;
the seed's own (``event_type``, ``resource: {id, name, status, review_status}``) tells all. Source: AdobeDocs/frameio-api,
"Webhooks" and "Custom actions".

A *word* is a status as Frame.io writes it, brought into one form: ``Needs Review`` and ``needs-review`` are
``needs_review``. What a word is called, and which words mean the same, is a matter of conf.yaml and not of this file.

Pure. Reading never raises: what has a wrong type is as if it were not there.
"""

from __future__ import annotations

import re

import msgspec

PROCESSING, READY, NEEDS_REVIEW, APPROVED, REJECTED = "processing", "ready", "needs_review", "approved", "rejected"
#: Word -> what people call it.
LABELS = {PROCESSING: "PROCESSING ⚙️", READY: "COMPLETED 🎉", NEEDS_REVIEW: "WAITING_APPROVAL ⏳", APPROVED: "APPROVED ✅",
          REJECTED: "REJECTED 🚫"}
MEDIA = frozenset({PROCESSING, READY})      # what becomes of the file; all other words are somebody's judgement
NONE = "none"                               # a judgement that was taken back

UPLOADED = frozenset({"file.upload.completed", "asset.created"})
READY_EVENTS = frozenset({"file.ready", "asset.ready"})
DELETED = frozenset({"file.deleted", "asset.deleted"})
COMMENTED = frozenset({"comment.created"})
#: Somebody has judged, and only the API knows how: "needs review" and "approved" are the same bytes.
JUDGED = frozenset({"metadata.value.updated", "asset.label.updated"})

NAME = 300      # characters of a name
ID = 128        # characters of an id; a longer one is none
WORD = 60

_ASSETS = frozenset({"file", "asset", "version_stack"})
_ABOUT_ASSETS = ("file.", "asset.", "review.", "metadata.")
_SAME = {"uploaded": PROCESSING, "uploading": PROCESSING, "created": PROCESSING, "transcoding": PROCESSING, "transcoded": READY}
_GAPS = re.compile(r"[\s_\-]+")


class Said(msgspec.Struct, frozen=True, gc=False):
    """One event. "" stands for what it does not say. ``kind``: the resource's type; ``asset``: the resource is one whose status is followed.

    ``word`` with ``judged``: a status, and whether it is somebody's judgement rather than the state of the file.
    """

    type: str
    id: str = ""
    kind: str = ""
    name: str = ""
    word: str = ""
    judged: bool = False
    status: str = ""            # the two as they were written
    review_status: str = ""
    account: str = ""
    workspace: str = ""
    project: str = ""
    user: str = ""
    text: str = ""              # of a comment
    asset: bool = False
    legacy: bool = False
    action: bool = False        # somebody has chosen a custom action

    @property
    def comment(self) -> bool:
        """It is about a comment, and the asset is known to the API alone."""
        return not self.asset and bool(self.id) and self.type.startswith("comment.")


def read_event(body: object) -> Said:
    """What a decoded body says."""
    if not isinstance(body, dict):
        return Said("")
    resource = body.get("resource")
    resource = resource if isinstance(resource, dict) else {}
    type_, kind, id_ = event_type(body), text(resource.get("type"), 40), text(resource.get("id"), ID + 1)
    id_ = "" if len(id_) > ID or id_ in (".", "..") else id_     # no path can carry these
    status, review = text(resource.get("status"), WORD), text(resource.get("review_status") or resource.get("label"), WORD)
    word, judged = _word(type_, word_of(status), word_of(review))
    asset = bool(id_) and (kind in _ASSETS if kind else type_.startswith(_ABOUT_ASSETS) or type_ in COMMENTED)
    return Said(type_, id_, kind, text(resource.get("name"), NAME), word, judged, status, review,
                *(_id_of(body, owner) for owner in ("account", "workspace", "project", "user")),
                text=text(resource.get("text"), NAME), asset=asset, legacy="team" in body and "account" not in body,
                action="action_id" in body and "interaction_id" in body)


def event_type(body: dict) -> str:
    """The type of an event; of a test, its name; "" for none."""
    return text(body.get("type") or body.get("event_type") or body.get("name"), 100)


def _word(type_: str, status: str, review: str) -> tuple[str, bool]:
    """The word that counts, and whether it is a judgement."""
    if type_ in UPLOADED:
        return PROCESSING, False
    if type_ in READY_EVENTS:
        return READY, False
    if type_ == "file.status.changed":
        word = status or review
    else:
        word = review or status
    return word, bool(word) and word not in MEDIA


def word_of(written: object) -> str:
    """A status as one word in lower case; "" for none."""
    word = _GAPS.sub("_", text(written, WORD).lower()).strip("_")
    return _SAME.get(word, word)


def label_of(word: str) -> str:
    """What people call a word that conf.yaml says nothing of."""
    return LABELS.get(word) or word.replace("_", " ").upper()


def sentence(asset: str, name: str, label: str, before: str) -> str:
    """What people are told when a status has changed; ``label`` and ``before`` are what they call it, "" for none."""
    return f"{name or f'asset {asset}'}: {label}" + (f" (before: {before})" if before else "")


def _id_of(body: dict, owner: str) -> str:
    """``account: {id}``, or ``account_id`` as custom actions have it."""
    named = body.get(owner)
    return text(named.get("id") if isinstance(named, dict) else body.get(f"{owner}_id"), ID)


def text(value: object, longest: int) -> str:
    """Text of a sender on one line, cut; numbers as text; "" for all else."""
    if type(value) is int and abs(value) < 10**18:
        return str(value)
    if type(value) is not str:
        return ""
    return "".join(char if char.isprintable() else " " for char in value[:4 * longest]).strip()[:longest].rstrip()
