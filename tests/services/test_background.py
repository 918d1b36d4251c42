"""Background work that fails is heard; the gauge of the loop sees stalls; a log line is one line."""

from __future__ import annotations

import asyncio
import io
import logging
import time

import pytest

from hookserver.services import journal
from hookserver.services.background import Background, LoopLag


@pytest.mark.logs("background work failed")
def test_a_failure_is_reported_once():
    failed = []

    async def scenario():
        background = Background(lambda name, error: failed.append((name, str(error))))

        async def broken():
            raise RuntimeError("no")

        background.run("broken", broken())
        endless = background.run("endless", asyncio.sleep(100))
        while not failed:
            await asyncio.sleep(0)
        await background.stop()
        assert endless.cancelled()

    asyncio.run(scenario())
    assert failed == [("broken", "no")]


@pytest.mark.logs("background work failed")
def test_steps_are_repeated_until_one_fails():
    calls, failed = [], []

    async def scenario():
        background = Background(lambda name, error: failed.append(name))

        async def step():
            calls.append(1)
            if len(calls) == 3:
                raise OSError("gone")

        background.every("step", 0, step)
        background.every("plain", 0, lambda: None)
        while not failed:
            await asyncio.sleep(0)
        await background.stop()

    asyncio.run(scenario())
    assert (len(calls), failed) == (3, ["step"])


def test_a_stall_is_seen():
    async def scenario():
        lag = LoopLag(asyncio.get_running_loop())
        await asyncio.sleep(LoopLag.TICK * 2)
        time.sleep(0.15)
        await asyncio.sleep(LoopLag.TICK * 2)
        assert 0.1 < lag.recent <= lag.worst
        lag.stop()

    asyncio.run(scenario())


def test_a_log_line_is_one_line():
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(journal.OneLine())
    logger = logging.Logger("hookserver.test")
    logger.addHandler(handler)
    logger.info("path=%r\nforged line", "a\nb")
    try:
        raise ValueError("x\ny")
    except ValueError:
        logger.exception("failed")
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].split(" ", 2)[1:] == ["INFO", "hookserver.test path='a\\nb' | forged line"]
    assert "Traceback" in lines[1] and "ValueError: x | y" in lines[1]


def test_what_strangers_do_is_no_warning():
    record = logging.LogRecord("tornado.general", logging.WARNING, "", 0, "SSL Error", (), None)
    assert journal.strangers_noise(record) and record.levelname == "INFO"
    record = logging.LogRecord("tornado.general", logging.ERROR, "", 0, "bad", (), None)
    assert journal.strangers_noise(record) and record.levelname == "ERROR"
