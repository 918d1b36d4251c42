"""Fixtures of the tests of the store."""

from __future__ import annotations

import logging

import pytest

from tests.store.dedup_journal import Journal


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def quiet(caplog):
    """The warnings logged so far."""
    caplog.set_level(logging.INFO)
    return lambda: [record.message for record in caplog.records if record.levelno >= logging.WARNING]
