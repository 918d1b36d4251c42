"""``hookserver tunnel test``, as a person runs it."""

from __future__ import annotations

import pytest

from hookserver.cli import main
from hookserver.ops.tunnel import free_port
from tests.ops.cloudflared import calls, placed
from tests.ops.test_tunnel import conf
from tests.process import until
from tests.tasks.test_execute import processes


@pytest.fixture
def ask(tmp_path, capsys):
    """``ask(narrow=port, keys of the tunnel)``: the exit code and what was printed."""
    def ask(narrow: int = 0, wait: int = 10, **more):
        code = main(["tunnel", "test", "--wait", str(wait), "-c", str(conf(tmp_path, narrow, **more))])
        told = capsys.readouterr()
        return code, told.out + told.err
    return ask


def test_a_request_goes_out_and_comes_in(ask, tmp_path):
    """Through a named tunnel, whose public side the stand-in plays."""
    edge, origin = free_port(), free_port()
    (tmp_path / "token").write_text("eyJhIjoi")
    program = placed(tmp_path, edge=edge, origin=origin)
    code, told = ask(origin, program=program, type="named", token_file=tmp_path / "token", url=f"http://127.0.0.1:{edge}")
    assert code == 0, told
    assert "stand-in 2026.8.0" in told and f"http://127.0.0.1:{edge} after" in told and "Senders would get through." in told
    until(lambda: not processes(str(tmp_path)), seconds=5, what="it has ended")


def test_an_answer_of_somebody_else_is_no_proof(ask, tmp_path):
    elsewhere = free_port()
    program = placed(tmp_path, metrics=True, ready=True, edge=elsewhere, origin=free_port())    # leads nowhere
    (tmp_path / "token").write_text("eyJhIjoi")
    code, told = ask(free_port(), 1, program=program, type="named", token_file=tmp_path / "token", url=f"http://127.0.0.1:{elsewhere}")
    assert code == 1 and "did not come in" in told and "Senders would not get through." in told


def test_each_step_says_what_is_wrong(ask, tmp_path):
    code, told = ask(program=tmp_path / "cloudflared")
    assert code == 1 and "is not there; it comes from https://github.com/cloudflare/cloudflared" in told
    program = placed(tmp_path, limited=True)
    code, told = ask(program=program)
    assert code == 1 and "FAILED  the tunnel" in told and "429" in told
    placed(tmp_path, ready=False)
    code, told = ask(wait=1, program=program)
    assert code == 1 and "no connection within 1 s" in told
    code, told = ask(type="outside")
    assert code == 2 and "outside" in told
    assert len(calls(tmp_path)) == 2
