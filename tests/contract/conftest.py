"""The server of the contract: one for each process of the test run."""

from __future__ import annotations

import pytest

from tests.contract.house import House, conf
from tests.contract.senders import SENDERS


@pytest.fixture(scope="session")
def house(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("contract"), conf(SENDERS))
    yield house
    house.close()
