"""Which imagined sender belongs to which preset, and events of a sender that only conf.yaml knows."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

import msgspec

from hookserver.core.bodies import FORM, media_type, takes
from hookserver.core.fields import ABSENT, Field, walk
from hookserver.core.requests import find_header
from hookserver.core.schemes.sending import with_member
from hookserver.providers.samples import code, mails, office, shops, talk
from hookserver.providers.samples.sample import PEOPLE, PROJECTS, Luck, Maker, Sample, compact

MAKERS: dict[str, Maker] = {**code.MAKERS, **shops.MAKERS, **talk.MAKERS, **mails.MAKERS, **office.MAKERS}
TYPES = ("created", "updated", "deleted", "finished")


def maker_of(preset: str | None, event_type: Sequence[Field] = (), key: Sequence[Field] = ()) -> Maker:
    """Who makes the events of a source: that of its preset, or else events in which the fields of its configuration are filled."""
    if preset in MAKERS:
        return MAKERS[preset]
    return lambda luck: _described(luck, event_type, key)


def _described(luck: Luck, event_type: Sequence[Field], key: Sequence[Field]) -> Sample:
    """An event of a sender that we know nothing of but where its type and its identity stand."""
    payload: object = {"id": luck.hex(12), "at": luck.iso, "project": luck.choice(PROJECTS), "by": luck.choice(PEOPLE), "amount": luck.number(1, 500)}
    headers: dict[str, str] = {}
    query: list[str] = []
    for field, text in [*((field, luck.choice(TYPES)) for field in event_type[:1]), *((field, luck.hex(12)) for field in key)]:
        if field.root == "payload":
            payload = payload if walk(payload, field.steps) is not ABSENT else with_member(payload, field.steps, text)
        elif field.root == "header" and find_header(tuple(headers.items()), field.steps[0]) is None:
            headers["-".join(part.capitalize() for part in field.steps[0].split("-"))] = text
        elif field.root == "query":
            query.append(f"{field.steps[0]}={text}")
    return Sample(compact(payload).encode(), headers, query="&".join(query))


def fitting(sample: Sample, methods: Sequence[str] | None, types: Collection[str] | None) -> Sample:
    """The same by a method and of a content type that a source takes: in the query of a GET, as a form, as XML, or under another name."""
    method = sample.method if not methods or sample.method in methods else methods[0]
    fields = {name: str(value) for name, value in json.loads(sample.body).items()}
    if method == "GET":
        query = "&".join(part for part in (sample.query, urlencode(fields)) if part)
        return msgspec.structs.replace(sample, method=method, query=query, body=b"", content_type="")
    if types is None or takes(types, media_type(sample.content_type)):
        return msgspec.structs.replace(sample, method=method)
    if FORM in types:
        return msgspec.structs.replace(sample, method=method, body=urlencode(fields).encode(), content_type=FORM)
    media = max(types)      # those that begin with + are endings, and stand before all others
    media = f"application/vnd.example{media}" if media.startswith("+") else media
    body = _xml(fields) if media.endswith("xml") else sample.body
    return msgspec.structs.replace(sample, method=method, body=body, content_type=media)


def _xml(fields: dict[str, str]) -> bytes:
    members = "".join(f"<field name={quoteattr(name)}>{escape(value)}</field>" for name, value in fields.items())
    return f"<event>{members}</event>".encode()
