"""The stand-in for Frame.io, asked by Frame.io's own library: what tests and the demo go by is what the library understands."""

from __future__ import annotations

import random

import pytest

from hookserver.services.frameio_simulator import FrameioSimulator

frameio = pytest.importorskip("frameio", reason="frameio is not installed: pip install 'hookserver[test]'")


@pytest.fixture
def simulator():
    simulator = FrameioSimulator(token="a token", luck=random.Random(1))
    yield simulator
    simulator.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_official_library_understands_it(simulator):
    from frameio.core.api_error import ApiError

    client = frameio.Frameio(token="a token", base_url=simulator.url)
    file = simulator.upload("A.mov")
    file["status"] = "transcoded"
    simulator.judge(file["id"], "Approved")
    seen = client.files.show(simulator.account, file["id"], include="media_links.original,media_links.high_quality,metadata").data
    assert (seen.name, seen.status, seen.file_size, seen.view_url) == ("A.mov", "transcoded", file["file_size"], file["view_url"])
    assert seen.metadata[0].field_definition_name == "Status" and seen.metadata[0].value[0].display_name == "Approved"
    assert seen.media_links.original.inline_url and seen.media_links.high_quality.download_url and seen.media_links.efficient is None
    assert client.files.show(simulator.account, file["id"]).data.metadata is None
    comment = simulator.comment(file["id"], "Too dark")
    told = client.comments.show(simulator.account, comment["id"], include="owner").data
    assert (told.text, told.file_id, told.owner.name) == ("Too dark", file["id"], comment["owner"]["name"])
    made = client.webhooks.create(simulator.account, simulator.workspace, data={"name": "n", "url": "https://x.example/", "events": ["file.ready"]}).data
    assert made.secret and list(simulator.webhooks) == [made.id]
    client.webhooks.delete(simulator.account, made.id)
    assert not simulator.webhooks
    for status, answer in ((404, lambda: client.files.show(simulator.account, "nobody")),
                           (401, lambda: frameio.Frameio(token="another", base_url=simulator.url).files.show(simulator.account, file["id"]))):
        with pytest.raises(ApiError) as caught:
            answer()
        assert caught.value.status_code == status
