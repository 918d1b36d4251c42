"""The log of a program: bounded, and read for ever, whatever the disk and the program do."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hookserver.ops.rotation import LONGEST, Drain, RotatingLog


def test_files_are_closed_at_line_ends_and_few_are_kept(tmp_path):
    log = RotatingLog(tmp_path / "deep" / "x.log", size=100, files=3)
    for number in range(100):
        log.write(f"line {number:04}\nhalf".encode() + b" and the other half\n")
    log.close()
    names = sorted(file.name for file in log.path.parent.iterdir())
    assert names == ["x.log", "x.log.1", "x.log.2"]
    lines = [line for name in reversed(names) for line in (log.path.parent / name).read_text().splitlines()]
    assert lines == [text for number in range(100) for text in (f"line {number:04}", "half and the other half")][-len(lines):]
    assert all((log.path.parent / name).stat().st_size < 200 for name in names) and log.lost == 0


def test_it_goes_on_where_the_last_process_stopped(tmp_path):
    for _ in range(3):
        log = RotatingLog(tmp_path / "x.log", size=25)
        log.write(b"123456789\n")
        log.close()
    assert (tmp_path / "x.log.1").read_bytes() == b"123456789\n" * 3 and not (tmp_path / "x.log").exists()


@pytest.mark.logs("cannot be written")
def test_what_the_disk_does_not_take_is_counted(tmp_path):
    (tmp_path / "file").touch()
    log = RotatingLog(tmp_path / "file" / "x.log")
    log.write(b"lost\n")
    assert log.lost == 5
    full = RotatingLog(tmp_path / "full")
    os.symlink("/dev/full", tmp_path / "full")
    full.write(b"lost\n")
    full.write(b"too\n")
    assert full.lost == 9


def drained(script: str, tmp_path, words=(b"word",), seconds: float = 5.0) -> list[bytes]:
    """The lines that were looked at, of a shell script."""
    seen: list[bytes] = []
    program = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, bufsize=0)
    drain = Drain(program.stdout, RotatingLog(tmp_path / "log"), seen.append, words)
    program.wait()
    drain.close(seconds)
    return seen


def test_lines_are_found_wherever_the_pieces_end(tmp_path):
    script = f"{sys.executable} -ISc 'import os,time\nfor b in (b\"a wo\", b\"rd\\nnone\\n\", b\"x\" * 9000, b\"\\nword\", b\"\"): os.write(1, b); time.sleep(0.02)'"
    assert drained(script, tmp_path) == [b"a word", b"word"]
    assert (tmp_path / "log").read_bytes() == b"a word\nnone\n" + b"x" * 9000 + b"\nword"


def test_a_line_without_an_end_is_cut(tmp_path):
    seen = drained("head -c 300000 /dev/zero | tr '\\0' x; echo; echo a word", tmp_path)
    assert seen == [b"a word"]
    seen = drained("printf word; head -c 300000 /dev/zero | tr '\\0' x", tmp_path)
    assert [len(line) for line in seen] == [LONGEST]


def test_what_holds_the_pipe_open_holds_nobody_up(tmp_path):
    assert drained("echo a word; setsid sleep 5 & exit 0", tmp_path, seconds=0.2) == [b"a word"]
