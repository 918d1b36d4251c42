"""What to ask Frame.io's API about an event, and what its answer says: name, status, judgement, links.

V4: ``GET /v4/accounts/{a}/files/{id}?include=…``; ``data.status`` is created, uploaded or transcoded, what reviewers decided is in a
metadata field, ``media_links`` hold URLs that expire. Legacy: ``GET /v2/assets/{id}`` with ``label`` and URLs by name. Source: the
official SDK ``frameio`` 4.0.0; for legacy the tests of python-frameio-client.

Pure. Reading never raises: what has a wrong type is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from hookserver.core.asset_words import ID, NAME, NONE, Said, text, word_of
from hookserver.core.guard import parse_url

INCLUDE = ("media_links.original,media_links.high_quality,media_links.efficient,media_links.video_h264_180,media_links.thumbnail,metadata")
LINKS = 12          # of an asset, at most
STACK = "version_stack"

_V4_LINKS = ("original", "high_quality", "efficient", "video_h264_180", "thumbnail_high_quality", "thumbnail")
_V4_URLS = ("download_url", "inline_url", "url")
_LEGACY_LINKS = ("original", "h264_2160", "h264_1080_best", "h264_720", "h264_540", "h264_360", "hls_manifest", "thumb")


def asset_path(said: Said, account: str, asset: str) -> str:
    """Where an asset is looked up."""
    if said.legacy:
        return f"/v2/assets/{_quoted(asset)}"
    things = "version_stacks" if said.kind == STACK else "files"
    return f"/v4/accounts/{_quoted(account)}/{things}/{_quoted(asset)}?include={INCLUDE}"


def comment_path(said: Said, account: str) -> str:
    """Where a comment is looked up, which names its asset."""
    if said.legacy:
        return f"/v2/comments/{_quoted(said.id)}"
    return f"/v4/accounts/{_quoted(account)}/comments/{_quoted(said.id)}?include=owner"


def _quoted(part: str) -> str:
    """One part of a path. What would climb out of its place names nothing."""
    return quote(part, safe="") if part not in (".", "..") else "-"


def read_comment(answer: object) -> dict[str, str] | None:
    """``asset``, ``comment`` and ``user`` of a comment; None when it names no asset."""
    data = _data(answer)
    asset = text(data.get("file_id") or data.get("asset_id"), ID)
    owner = data.get("owner") if isinstance(data.get("owner"), dict) else {}
    return {"asset": asset, "comment": text(data.get("text"), NAME), "user": text(owner.get("name"), ID)} if asset else None


def read_asset(answer: object, status_field: str) -> dict[str, object] | None:
    """The members of ``rollups.asset_parts.Details`` but ``asset``; None when this is no asset."""
    data = _data(answer)
    if not text(data.get("id"), ID):
        return None
    head = data.get("head_version")
    file = head if isinstance(head, dict) else data
    size = file.get("file_size", file.get("filesize"))
    return {"name": text(data.get("name"), NAME), "project": text(data.get("project_id"), ID),
            "state": word_of(file.get("status")), "judged": _judged(data, status_field) if head is None else _judged(data, status_field) or _judged(file, status_field),
            "size": size if type(size) is int and 0 <= size < 2**60 else None, "media_type": text(file.get("media_type", file.get("filetype")), 100),
            "view_url": _safe(data.get("view_url")), "links": _links(file)}


def _data(answer: object) -> dict:
    """V4 puts what was asked for into ``data``."""
    if not isinstance(answer, dict):
        return {}
    return answer["data"] if isinstance(answer.get("data"), dict) else answer


def _judged(data: dict, status_field: str) -> str | None:
    """What reviewers decided, "" for nothing yet; None when the answer does not tell."""
    fields = data.get("metadata")
    for field in fields if isinstance(fields, list) else ():
        if isinstance(field, dict) and text(field.get("field_definition_name"), 100).casefold() == status_field.casefold():
            return _judgement(field.get("value"))
    return _judgement(data["label"]) if "label" in data else None


def _judgement(value: object) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = value.get("display_name")
    word = word_of(value)
    return "" if word == NONE else word


def _links(file: dict) -> dict[str, str]:
    found = {name: url for name, value in _all_links(file) if (url := _safe(value))}
    return dict(list(found.items())[:LINKS])


def _all_links(file: dict) -> Iterator[tuple[str, object]]:
    links = file.get("media_links")
    if isinstance(links, dict):
        for name in _V4_LINKS:
            link = links.get(name) if isinstance(links.get(name), dict) else {}
            yield name, next((link[kind] for kind in _V4_URLS if link.get(kind)), None)
        return
    downloads = file.get("downloads") if isinstance(file.get("downloads"), dict) else {}
    for name in _LEGACY_LINKS:
        yield name, file.get(name) or downloads.get(name)


def _safe(value: object) -> str:
    """A URL that people may click on: https, to a host; "" for any other."""
    try:
        return value if isinstance(value, str) and parse_url(value).scheme == "https" else ""
    except ValueError:
        return ""
