"""A home for one server, which is gone at the end of the test whatever happened."""

from __future__ import annotations

import pytest

from tests.crash.ledger import APP, SECRET
from tests.process import ServerProcess, write_conf


@pytest.fixture
def server(tmp_path):
    """Not started. Small segments, so that every drill rotates them."""
    write_conf(tmp_path, secret=SECRET, apps=[APP], segment_size="64KiB")
    server = ServerProcess(tmp_path)
    yield server
    server.kill()
