"""No room: 503 with Retry-After while it lasts, reads go on, and it ends by itself when there is room again."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.crash.judge import verdict
from tests.crash.ledger import APP, SECRET, Ledger, Load, resend
from tests.process import ServerProcess, until, write_conf
from tests.wire import Wire, request_bytes


def mounted(place: Path, *words: str) -> bool:
    """Mount something on ``place``; False where that is not allowed."""
    place.mkdir()
    return os.geteuid() == 0 and subprocess.run(["mount", *words, str(place)], capture_output=True).returncode == 0


@pytest.fixture(params=["tmpfs", "ext4", "inodes"])
def small_disk(request, tmp_path):
    """A file system of a few megabytes, or of a few files."""
    place, image = tmp_path / "disk", tmp_path / "image"
    if request.param != "ext4":
        few = "size=3m" if request.param == "tmpfs" else "size=40m,nr_inodes=60"
        good = mounted(place, "-t", "tmpfs", "-o", few, "hookserver-drill")
    else:
        image.touch()
        os.truncate(image, 12 << 20)
        made = shutil.which("mkfs.ext4") and subprocess.run(["mkfs.ext4", "-q", "-J", "size=4", str(image)],
                                                            capture_output=True).returncode == 0
        good = made and mounted(place, "-o", "loop", str(image))
    if not good:
        pytest.skip(f"needs the right to mount a small {request.param}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def cramped(small_disk):
    """A server on the small disk, with files beside its data that can make room."""
    write_conf(small_disk, secret=SECRET, apps=[APP], segment_size="64KiB")
    server = ServerProcess(small_disk)
    server.start()
    for number in range(16):
        (small_disk / f"ballast{number}").write_bytes(bytes(64 << 10))
    yield server
    server.kill()


def admin(server: ServerProcess, path: str) -> int:
    with Wire(server.port) as wire:
        return wire.ask(request_bytes("GET", path, {"Authorization": f"Bearer {server.token}"}))[0]


def outcomes(ledger: Ledger) -> set[int | None]:
    return {status for entry in ledger.entries.values() for status in entry.outcomes}


def times_refused(ledger: Ledger) -> int:
    return sum(entry.outcomes.count(503) for entry in ledger.entries.values())


def test_full_and_free_again(cramped):
    ledger = Ledger(21)
    Load(ledger, cramped.port, stop_on=503).wait()
    assert outcomes(ledger) == {200, 503}
    assert verdict(cramped.data, ledger) == []
    assert admin(cramped, "/api/events?limit=5") == 200
    refused = times_refused(ledger)
    Load(ledger, cramped.port, stop_on=503).wait()      # a smaller event may still fit, and then another does not
    assert times_refused(ledger) > refused
    for ballast in cramped.home.glob("ballast*"):
        ballast.unlink()
    assert resend(ledger, cramped.port) == []
    Load(ledger, cramped.port, most=len(ledger.entries) + 100).wait()
    assert verdict(cramped.data, ledger) == []
    assert cramped.health() == 200
    assert cramped.stop() == 0
    assert cramped.start().stop() == 0
    assert verdict(cramped.data, ledger) == []


def test_a_limit_on_the_size_of_files(server):
    ledger = Ledger(22)
    server.start()
    Load(ledger, server.port, most=30).wait()
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (40 << 10, resource.RLIM_INFINITY))
    Load(ledger, server.port, stop_on=503).wait()
    assert outcomes(ledger) == {200, 503}
    assert verdict(server.data, ledger) == []
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    until(lambda: resend(ledger, server.port) == [], seconds=10, what="everything is accepted again")
    assert verdict(server.data, ledger) == []
    assert server.stop() == 0
