"""Fixtures of the tests of the services."""

from __future__ import annotations

import pytest

from tests.services.derived import House, everything, some_life


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


@pytest.fixture(scope="package")
def lived(tmp_path_factory):
    """A directory after thirty hours of life, closed; and what was known then."""
    root = tmp_path_factory.mktemp("lived") / "data"
    with House(root, segment_size=20_000) as house:
        some_life(house, 20)
        house.checkpoint()
        some_life(house, 10, seed=6)
        known = everything(house.projection)
    return root, known
