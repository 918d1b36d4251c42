"""The drills' own instruments see what they are there to see."""

from __future__ import annotations

import pytest

from tests.crash.judge import last_segment, verdict
from tests.crash.ledger import Entry, Ledger, Load
from tests.crash.trace import check

WRITE = r'7 write(5</d/log/a.jsonl>, "{\"seq\":1,\"batch\":1,\"at\":\"\"}\n", 31) = 31'
SYNC = "7 fdatasync(5</d/log/a.jsonl>) = 0"
ANSWER = r'6 sendto(9<socket:[1]>, "HTTP/1.1 200 OK\r\n\r\n{\"id\":\"evt_k3f9q2_1\",\"duplicate\":false}", 90, 0, NULL, 0) = 90'
NAME = '7 openat(AT_FDCWD</d>, "/d/log/a.jsonl", O_WRONLY|O_CREAT|O_EXCL, 0640) = 5</d/log/a.jsonl>'


@pytest.mark.parametrize("lines, complaints", [
    ([WRITE, SYNC, ANSWER], 0),
    ([WRITE, ANSWER, SYNC], 1),
    ([SYNC, WRITE, ANSWER], 1),
    ([WRITE, "7 fdatasync(5</d/log/a.jsonl> <unfinished ...>", ANSWER, "7 <... fdatasync resumed>) = 0"], 1),
    ([WRITE, "7 fdatasync(5</d/log/a.jsonl> <unfinished ...>", "7 <... fdatasync resumed>) = 0", ANSWER], 0),
    ([WRITE, "7 fdatasync(5</d/log/a.jsonl>) = -1 EIO (Input/output error) (INJECTED)", SYNC, ANSWER], 1),
    (["7 fdatasync(5</d/log/a.jsonl>) = -1 EIO (Input/output error)", WRITE], 1),
    ([NAME, WRITE, SYNC, ANSWER], 1),
    ([NAME, "7 fsync(6</d/log>) = 0", WRITE, SYNC, ANSWER], 0),
    (['7 write(5</d/x.tmp>, "a", 1) = 1', '7 rename("/d/x.tmp", "/d/x") = 0'], 1),
])
def test_the_order_of_system_calls(tmp_path, lines, complaints):
    (tmp_path / "trace.txt").write_text("\n".join(lines) + "\n")
    found = check(tmp_path / "trace.txt", "/d/log")
    assert len(found.complaints) == complaints
    assert found.answers == sum(line is ANSWER for line in lines)


def test_the_judge_sees_what_is_lost_and_what_is_strange(server):
    ledger = Ledger(41)
    server.start()
    Load(ledger, server.port, most=20).wait()
    assert server.stop() == 0 and verdict(server.data, ledger) == []
    stranger = ledger.entries.popitem()
    assert len(verdict(server.data, ledger)) == 1
    ledger.entries.update([stranger])
    ledger.entries["never"] = Entry("never", b"{}", [None, 200])
    assert len(verdict(server.data, ledger)) == 1
    del ledger.entries["never"]
    segment = last_segment(server.data)
    content = segment.read_bytes()
    segment.write_bytes(content.replace(b"POST", b"PUST", 1))
    assert "CRC" in "".join(verdict(server.data, ledger))
