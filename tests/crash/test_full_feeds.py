"""A disk that is nearly full: downloads stop at the room that is kept for events, leave nothing behind, and events are taken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading

import pytest

from tests.process import until
from tests.running import Running, write_conf
from tests.tasks.files import FileServer, endless, head, whole

SECRET = "a secret for the drill"
CONF = """\
server: {{{{host: 127.0.0.1, port: {{port}}, {{server}}}}}}
store: {{{{min_free: 24MiB, segment_size: 1MiB}}}}
limits: {{{{rate: 1000000/s, {{limits}}}}}}
sources: {{{{calls: {{{{type: generic, verify: {{{{scheme: token, header: X-Token, secrets: ["{secret}"]}}}}}}}}}}}}
feeds:
  big: {{{{url: "{url}", ttl: 0s, interval: 100ms, classify: {{{{127.0.0.1: dropbox}}}}, retry: {{{{schedule: [100ms, 1h], jitter: 0}}}}}}}}
guard: {{{{allow: [127.0.0.0/8]}}}}
"""


@pytest.fixture
def small(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "hookserver-drill", str(place)], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_downloads_stop_where_the_room_for_events_begins(small):
    with FileServer() as source:
        entries = [{"source_url": source.url("/endless"), "original_filename": "endless.zip"}, {"source_url": source.url("/small"), "original_filename": "small.zip"}]
        body = json.dumps(entries).encode()
        source.ways |= {"/list": head("200 OK", f"Content-Length: {len(body)}") + body, "/endless": endless, "/small": whole(b"small")}
        running = Running(write_conf(small, text=CONF.format(url=source.url("/list"), secret=SECRET)))
        try:
            api, answers, over = running.client(running.token), [], threading.Event()

            def post():
                sender = running.client()
                while not over.is_set():
                    answers.append(sender.ask("POST", "/hooks/calls", b'{"n":%d}' % len(answers), X_Token=SECRET, Content_Type="application/json").status)
            sending = threading.Thread(target=post)
            sending.start()
            files = until(lambda: (found := {one["wanted"]: one for one in api.get("/api/feeds/big/files").json["files"]}) and found["endless.zip"]["attempts"] >= 2
                          and found["small.zip"]["state"] == "done" and found, seconds=20, what="two attempts at the endless one")
            over.set()
            sending.join(10)
        finally:
            running.stop()
        assert files["endless.zip"]["state"] == "waiting" and "kept for events" in files["endless.zip"]["note"]
        assert set(answers) == {200} and len(answers) > 10
        assert sorted(file.name for file in (small / "data/big").rglob("*") if file.suffix in (".zip", ".part")) == ["small.zip"]
        assert shutil.disk_usage(small).free > 24 << 20
