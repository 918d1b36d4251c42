"""Frame.io's signature against the published vector, and what answers of its API are read as."""

from __future__ import annotations

import hmac

import pytest

from hookserver.core.asset_words import read_event, word_of
from hookserver.core.requests import InboundRequest
from hookserver.providers.frameio import Frameio
from hookserver.providers.frameio_details import asset_path, comment_path, read_asset, read_comment
from hookserver.providers.receiver import Examined, Unfit

# Adobe's guide to webhooks, headers and body of its example.
SECRET = b"yxSE59T0gtZOFZxw6UhLwTkhd2m8ntNSdSWnApQ0xOnMEzSoXbD8sGFP4bzb7MbS"
AT = 1604004499
SIGNED = "v0=a77ce6856e609c884575c2fd211d07a9ad1c3f72e19c06ff710e8f086ffca883"
BODY = (b'{"project":{"id":"f348e9f4-f142-42f9-b3bf-478d93f0feb4"},"resource":{"id":"6aad9151-c216-4d6f-b5e9-530df551a426","type":"asset"},'
        b'"team":{"id":"aa891687-4b1e-4150-9b6d-9e4911c5b436"},"type":"asset.label.updated","user":{"id":"59c9ade1-311b-4c3b-8231-b9d88e9a1a85"}}')


def signed(at: str) -> str:
    return "v0=" + hmac.new(SECRET, b"v0:%b:%b" % (at.encode("latin-1"), BODY), "sha256").hexdigest()


def request(signature=SIGNED, at=str(AT), body=BODY, now=AT) -> InboundRequest:
    headers = [(name, value) for name, value in (("x-frameio-signature", signature), ("X-Frameio-Request-Timestamp", at)) if value is not None]
    return InboundRequest("POST", "/frameio-webhook", "", headers, body, "192.0.2.1", "192.0.2.1", now * 1000)


def test_the_published_vector_is_authentic():
    found = Frameio((b"another", SECRET), looks_up=True).examine(request())
    assert type(found) is Examined and (found.type, found.tasks, found.verdict.secret) == ("asset.label.updated", ("details",), 1)
    seeds = Frameio(None, looks_up=True), b'{"event_type":"file.ready","resource":{"id":"f"}}'
    assert seeds[0].examine(request(body=seeds[1])).tasks == ()         # of which account?
    assert Frameio(None, looks_up=True, account="a").examine(request(body=seeds[1])).tasks == ("details",)
    assert Frameio((SECRET,)).examine(request(signature=SIGNED.upper().replace("V0", "v0"))).tasks == ()


@pytest.mark.parametrize("changed,code", [
    ({"signature": None}, "signature_missing"), ({"at": None}, "signature_missing"), ({"body": BODY + b"\n"}, "signature_mismatch"),
    ({"signature": SIGNED[3:]}, "signature_mismatch"), ({"signature": SIGNED[:-1]}, "signature_mismatch"),
    ({"signature": "v0=" + "é" * 64}, "signature_mismatch"), ({"signature": f"{SIGNED},{SIGNED}"}, "signature_mismatch"),
    ({"at": str(AT + 1)}, "signature_mismatch"), *[({"at": at, "signature": signed(at)}, "bad_timestamp") for at in (
        f"{AT}.0", f"+{AT}", f"0{AT}", f"{AT}_0", "")], ({"now": AT + 301}, "timestamp_outside"), ({"now": AT - 301}, "timestamp_outside")])
def test_what_is_not_authentic(changed, code):
    found = Frameio((SECRET,)).examine(request(**changed))
    assert type(found) is Unfit and found.code == code


def test_words_have_one_form():
    assert [word_of(word) for word in ("Needs Review", "needs-review", " IN_progress ", "Transcoded", "", None, ["x"], "none")] == [
        "needs_review", "needs_review", "in_progress", "ready", "", "", "", "none"]


def test_where_things_are_looked_up():
    said = read_event({"type": "file.ready", "account": {"id": "a/b"}, "resource": {"id": "x/..", "type": "file"}})
    assert asset_path(said, said.account, said.id).startswith("/v4/accounts/a%2Fb/files/x%2F..?include=media_links.original,")
    assert not read_event({"type": "file.ready", "resource": {"id": "..", "type": "file"}}).asset
    stack = read_event({"type": "file.versioned", "account": {"id": "a"}, "resource": {"id": "s", "type": "version_stack"}})
    assert asset_path(stack, "a", "s").startswith("/v4/accounts/a/version_stacks/s?")
    legacy = read_event({"type": "comment.created", "team": {"id": "t"}, "resource": {"id": "c", "type": "comment"}})
    assert (legacy.comment, comment_path(legacy, ""), asset_path(legacy, "", "x")) == (True, "/v2/comments/c", "/v2/assets/x")


def test_answers_of_the_api():
    file = {"id": "f", "name": "A.mov", "status": "transcoded", "project_id": "p", "file_size": 5, "media_type": "video/mp4",
            "view_url": "javascript:alert(1)", "metadata": [7, {"field_definition_name": "STATUS", "value": [{"display_name": "In Review"}]}],
            "media_links": {"original": {"download_url": "https://x.example/o"}, "efficient": {"url": "http://x.example/e"}, "thumbnail": 5,
                            "high_quality": {"download_url": None, "url": "https://u:p@x.example/"}}}
    found = read_asset({"data": file}, "Status")
    assert found == {"name": "A.mov", "project": "p", "state": "ready", "judged": "in_review", "size": 5, "media_type": "video/mp4", "view_url": "",
                     "links": {"original": "https://x.example/o"}}
    assert read_asset({"data": file | {"metadata": None}}, "Status")["judged"] is None
    stack = read_asset({"data": {"id": "s", "name": "Stack", "head_version": file}}, "Status")
    assert (stack["name"], stack["judged"], stack["state"]) == ("Stack", "in_review", "ready")
    legacy = read_asset({"id": "x", "label": "none", "filesize": 9, "original": "https://x.example/o", "downloads": {"h264_720": "https://x.example/7"}}, "Status")
    assert (legacy["judged"], legacy["size"], list(legacy["links"])) == ("", 9, ["original", "h264_720"])
    assert read_comment({"data": {"file_id": "f", "text": "a\nb", "owner": {"name": "Ana"}}}) == {"asset": "f", "comment": "a b", "user": "Ana"}
    for odd in (None, [], {}, {"data": []}, {"data": {"id": {}}}, 5):
        assert read_asset(odd, "Status") is None and read_comment(odd) is None
