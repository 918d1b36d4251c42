"""From a name to a connection: what is refused before anything is sent, TLS, names that hang, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hookserver.core.addresses import parse_network
from hookserver.tasks import connect as connect_module
from hookserver.tasks.connect import LOOKUPS, Connector, Names, system_lookup

from tests.tasks.deliveries import LOOPS, deliver, destination, runner, work
from tests.tasks.endpoints import Authority, Endpoint, Visit, answer

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(params=LOOPS)
def run(request):
    return runner(request.param)


class Zone:
    """A resolver that gives the next answer of a name at each look-up, the last one for ever. An answer: addresses, or an error."""

    def __init__(self, **answers):
        self.answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.asked: list[str] = []

    def __call__(self, name):
        self.asked.append(name)
        answers = self.answers[name]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return [ipaddress.ip_address(text) for text in found]


def names(**answers) -> Names:
    return Names(Zone(**answers))


def guarded(names: Names | None = None, *allow: str) -> Connector:
    return Connector(names, allow=tuple(parse_network(text) for text in allow))


# -- the guard -----------------------------------------------------------------------------------------

REFUSED = ["127.0.0.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
           "169.254.169.254", "10.0.0.1", "100.64.0.1", "192.0.0.192", "198.18.0.1", "224.0.0.1", "255.255.255.255", "[fe80::1%lo]", "[fe80::1%25lo]", "[fe80::1]",
           "[fc00::1]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[ff02::1]"]


@pytest.fixture
def no_connection(monkeypatch):
    """Every connection that is tried all the same."""
    tried = []

    async def connected(address, port):
        tried.append(str(address))
        raise connect_module.Unreachable("connect", "the test lets nothing out")

    monkeypatch.setattr(connect_module, "_connected", connected)
    return tried


@pytest.mark.parametrize("host", REFUSED)
def test_addresses_that_a_url_from_outside_must_not_reach(host, no_connection):
    with Endpoint(answer()) as canary:
        outcome = asyncio.run(deliver(destination(""), work(url=f"http://{host}:{canary.port}/"), connector=guarded()))
    assert (outcome.ok, outcome.cause, outcome.final) == (False, "guard", True) and outcome.note
    assert canary.visits == 0 and no_connection == []


def test_the_open_ones_are_tried_and_configured_ones_too(no_connection):
    for connector, url in ((guarded(), "http://8.8.8.8/"), (guarded(None, "10.0.0.0/8"), "http://10.1.2.3/")):
        assert asyncio.run(deliver(destination(""), work(url=url), connector=connector)).cause == "connect"
    assert asyncio.run(deliver("http://127.0.0.1/")).cause == "connect"
    assert no_connection == ["8.8.8.8", "10.1.2.3", "127.0.0.1"]


@pytest.mark.parametrize("answers", [
    [["127.0.0.1"]], [["8.8.8.8", "127.0.0.1"]], [["127.0.0.1", "8.8.8.8"]], [["2606:4700::1111", "::1"]], [["::ffff:169.254.169.254"]], [["8.8.8.8"] * 20 + ["10.0.0.1"]],
])
def test_a_name_with_one_bad_address_is_refused(answers, no_connection):
    outcome = asyncio.run(deliver(destination(""), work(url="http://evil.example/"), connector=guarded(names(evil_example=answers))))
    assert outcome.cause == "guard" and outcome.final and no_connection == [] and "evil.example" in outcome.note


def test_a_name_that_changes_its_mind_is_judged_at_each_attempt(no_connection):
    """DNS rebinding: good at first, then the address of the metadata service; or first no answer at all."""
    async def three(connector):
        return [(await deliver(destination(""), work(url="http://evil.example/"), connector=connector)).cause for _ in range(3)]

    failed = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    assert asyncio.run(three(guarded(names(evil_example=[["8.8.8.8"], ["169.254.169.254"]])))) == ["connect", "guard", "guard"]
    assert asyncio.run(three(guarded(names(evil_example=[failed, ["10.0.0.1"]])))) == ["dns", "guard", "guard"]
    assert no_connection == ["8.8.8.8"]


def test_no_url_from_outside_goes_over_a_client_that_does_not_guard(no_connection):
    outcome = asyncio.run(deliver(destination(""), work(url="http://8.8.8.8/"), connector=Connector()))
    assert outcome.cause == "guard" and outcome.final and no_connection == []


def test_one_attempt_looks_up_once_and_connects_to_that_address(run):
    zone = Zone(evil_example=[["127.0.0.1"], ["127.0.0.2"]])
    with Endpoint(answer()) as endpoint:
        outcome = run(deliver(destination(""), work(url=endpoint.url(host="evil.example")), connector=guarded(Names(zone), "127.0.0.1/32")))
    assert outcome.ok and zone.asked == ["evil.example"] and outcome.request["address"] == "127.0.0.1"
    assert f"Host: evil.example:{endpoint.port}".encode() in endpoint.heads[0]


def test_real_names_pass_the_guard_too():
    """``localhost`` through the system's resolver."""
    with Endpoint(answer()) as canary:
        outcome = asyncio.run(deliver(destination(""), work(url=canary.url(host="localhost")), connector=guarded()))
        assert outcome.cause == "guard" and canary.visits == 0
        opened = guarded(None, "127.0.0.0/8", "::1/128")
        assert asyncio.run(deliver(destination(""), work(url=canary.url(host="localhost")), connector=opened)).ok


@pytest.mark.parametrize("url", ["http://a:1\\@b/", "http://127.0.0.1#@b/", "http://u:p@b/", "http://a b/", "file:///etc/passwd", "http://a:0/", "http://a./", "x"])
def test_a_url_from_outside_that_is_none_is_an_outcome(url, no_connection):
    outcome = asyncio.run(deliver(destination(""), work(url=url), connector=guarded()))
    assert outcome.cause == "guard" and outcome.final and no_connection == []


# -- names ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("found, text", [(socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"), ([], "no address"),
                                         (UnicodeError("label too long"), "label too long"), (OSError(), "it was closed")])
def test_a_name_that_is_not_found(found, text, run):
    outcome = run(deliver("http://gone.example/", connector=Connector(names(gone_example=[found]))))
    assert (outcome.cause, outcome.final, outcome.status) == ("dns", False, None) and text in outcome.note and "gone.example" in outcome.note


class Hanging:
    """A resolver that hangs for the names in ``bad`` until it is released."""

    def __init__(self):
        self.released = threading.Event()
        self.asked: list[str] = []

    def __call__(self, name):
        self.asked.append(name)
        if name.startswith("bad"):
            self.released.wait(60)
        return [ipaddress.ip_address("127.0.0.1")]


def test_a_name_server_that_hangs_delays_nobody_else(run):
    lookup = Hanging()

    async def both(endpoint):
        connector = Connector(Names(lookup))
        bad = [deliver(f"http://bad{n % 5}.example/", work(timeout=0.3), connector=connector) for n in range(50)]
        return await asyncio.gather(*bad, deliver(endpoint.url(host="good.example"), connector=connector))

    with Endpoint(answer()) as endpoint:
        *bad, good = run(both(endpoint))
    lookup.released.set()
    assert good.ok and all(outcome.cause == "timeout" and "name's address" in outcome.note for outcome in bad)
    assert sorted(set(lookup.asked)) == sorted(lookup.asked)    # 50 attempts, and one thread for each of the 5 names


def test_lookups_wait_their_turn(run):
    lookup = Hanging()

    async def many():
        found = Names(lookup)
        waiting = [asyncio.ensure_future(found.addresses(f"bad{n}.example")) for n in range(LOOKUPS + 10)]
        waiting.append(asyncio.ensure_future(found.addresses("good.example")))
        while len(lookup.asked) < LOOKUPS:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert len(lookup.asked) == LOOKUPS
        waiting.pop(3).cancel()
        lookup.released.set()
        for found_by_one in await asyncio.gather(*waiting):
            assert [str(address) for address in found_by_one] == ["127.0.0.1"]
        assert not found._running and not found._waiting

    run(many())


def test_a_lookup_that_hangs_does_not_hold_up_the_end_of_the_process():
    program = """if True:
        import asyncio, time
        from hookserver.tasks.connect import Names
        def lookup(name):
            time.sleep(1 if name == "late" else 300)
            return []
        async def main():
            names = Names(lookup)
            waiting = [asyncio.ensure_future(names.addresses(name)) for name in ("late", "never")]
            await asyncio.sleep(0.1)
            for one in waiting: one.cancel()
        asyncio.run(main())
        time.sleep(1.5)
        """
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_system_knows_localhost():
    assert {str(address) for address in system_lookup("localhost")} <= {"127.0.0.1", "::1"}


# -- connections ---------------------------------------------------------------------------------------

def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_refused(run):
    outcome = run(deliver(f"http://127.0.0.1:{free_port()}/"))
    assert (outcome.cause, outcome.note, outcome.final) == ("connect", "127.0.0.1: connection refused", False)


@pytest.fixture
def full():
    """A port whose queue of connections is full, so that further ones hang."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        time.sleep(0.05)
        yield listener.getsockname()[1]
        for filler in fillers:
            filler.close()


def test_a_connection_that_hangs(run, full):
    outcome = run(deliver(f"http://127.0.0.1:{full}/", work(timeout=0.3)))
    assert outcome.cause == "timeout" and outcome.note.endswith("waiting for the connection")


def test_the_next_address_is_tried(run, full):
    """One that refuses, one that hangs, one that is not there, and then one that answers."""
    with Endpoint(answer(), host="127.0.0.3", port=full) as endpoint:
        for found in (["127.0.0.2", "127.0.0.3"], ["127.0.0.1", "127.0.0.3"], ["127.0.0.1", "127.0.0.2", "::1", "127.0.0.3"], ["127.0.0.3", "127.0.0.1"]):
            outcome = run(deliver(endpoint.url(host="many.example"), connector=Connector(names(many_example=[found]))))
            assert outcome.ok and outcome.request["address"] == "127.0.0.3", outcome
    assert endpoint.visits == 4
    outcome = run(deliver(f"http://many.example:{free_port()}/", connector=Connector(names(many_example=[["127.0.0.1", "127.0.0.2"]]))))
    assert outcome.cause == "connect" and "refused" in outcome.note


def test_ipv6(run):
    try:
        endpoint = Endpoint(answer(), host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with endpoint:
        assert run(deliver(endpoint.url(host="[::1]"))).ok
        outcome = run(deliver(endpoint.url(host="six.example"), connector=Connector(names(six_example=[["::1", "127.0.0.1"]]))))
    assert outcome.ok and outcome.request["address"] == "::1" and f"Host: [::1]:{endpoint.port}".encode() in endpoint.heads[0]


# -- TLS -----------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


NAMED = dict(hooks_example=[["127.0.0.1"]])


def secure(endpoint: Endpoint, ca: Path | None, *, host="hooks.example", of=None):
    return deliver(destination(endpoint.url(host=host, scheme="https"), ca=ca), of, connector=Connector(names(**NAMED)))


def test_a_good_certificate(run, authority):
    with Endpoint(answer(body=b"hi"), context=authority.context("hooks.example", "127.0.0.1")) as endpoint:
        for host in ("hooks.example", "127.0.0.1"):
            outcome = run(secure(endpoint, authority.ca, host=host))
            assert outcome.ok and outcome.excerpt == b"hi", outcome
        big = run(secure(endpoint, authority.ca, of=work(b"x" * 3_000_000, is_json=False)))
    assert big.ok and len(endpoint.bodies[-1]) == 3_000_000 and f"Host: hooks.example:{endpoint.port}".encode() in endpoint.heads[0]


@pytest.mark.parametrize("names, more, text", [
    (["hooks.example"], dict(days=-1), "certificate has expired"), (["hooks.example"], dict(self_signed=True), "self-signed certificate"),
    (["other.example"], {}, "Hostname mismatch, certificate is not valid for 'hooks.example'."), (["127.0.0.1"], {}, "Hostname mismatch"),
    (["*.example.com"], {}, "Hostname mismatch"),
])
def test_bad_certificates(names, more, text, run, authority):
    with Endpoint(answer(), context=authority.context(*names, **more)) as endpoint:
        outcome = run(secure(endpoint, authority.ca))
    assert (outcome.ok, outcome.cause, outcome.status, outcome.final) == (False, "tls", None, False) and text in outcome.note, outcome
    assert endpoint.heads == []     # nothing was sent


def test_an_authority_that_nobody_named(run, authority, tmp_path):
    with Endpoint(answer(), context=authority.context("hooks.example")) as endpoint:
        for ca in (None, Authority(tmp_path, "another").ca):
            assert "unable to get local issuer certificate" in run(secure(endpoint, ca)).note
        outcome = run(secure(endpoint, tmp_path / "missing.pem"))
        assert outcome.cause == "tls" and "cannot be read: no such file or directory" in outcome.note
        (tmp_path / "junk.pem").write_text("junk")
        assert "cannot be read" in run(secure(endpoint, tmp_path / "junk.pem")).note
    assert endpoint.heads == []


def test_old_protocols_are_not_spoken(run, authority):
    context = authority.context("hooks.example")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Endpoint(answer(), context=context) as endpoint:
        assert run(secure(endpoint, authority.ca)).cause == "tls"


def plain(visit: Visit) -> None:
    visit.connection.recv(1000)
    visit.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def closing(visit: Visit) -> None:
    visit.connection.recv(1000)


@pytest.mark.parametrize("behave", [plain, closing, Visit.reset])
def test_who_does_not_speak_tls(behave, run, authority):
    with Endpoint(behave) as endpoint:
        outcome = run(secure(endpoint, authority.ca))
    assert outcome.cause == "tls" or behave is Visit.reset and outcome.cause == "connect", outcome
    assert outcome.note


def test_a_handshake_that_hangs(run, authority):
    with Endpoint(Visit.wait) as endpoint:
        outcome = run(secure(endpoint, authority.ca, of=work(timeout=0.3)))
    assert outcome.cause == "timeout" and outcome.note.endswith("waiting for the TLS handshake with 127.0.0.1")


# -- nothing is left behind ------------------------------------------------------------------------------

def sockets() -> int:
    return sum(1 for name in os.listdir("/proc/self/fd") if _is_socket(name))


def _is_socket(name: str) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    except OSError:
        return False


def test_a_cancelled_attempt_lets_go_of_everything(run, authority, full):
    """Stopping while it looks up, connects, shakes hands, waits for the answer, or reads the body."""
    lookup = Hanging()

    def slow(visit: Visit) -> None:
        visit.request()
        visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
        visit.wait()

    async def all_of_them(silent, halfway):
        connector = Connector(Names(lookup))
        before = sockets()
        attempts = [asyncio.ensure_future(one) for one in (
            deliver("http://bad.example/", connector=connector), deliver(f"http://127.0.0.1:{full}/", connector=connector),
            deliver(f"http://two.example:{full}/", connector=Connector(names(two_example=[["127.0.0.1", "127.0.0.1"]]))),
            secure(silent, authority.ca), deliver(silent.url()), deliver(halfway.url()))]
        while silent.visits < 2 or halfway.visits < 1 or not lookup.asked:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        assert sockets() > before
        for attempt in attempts:
            attempt.cancel()
        ended = await asyncio.gather(*attempts, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        for _ in range(200):
            if sockets() - before <= servers():
                return True
            await asyncio.sleep(0.01)
        return False

    with Endpoint(Visit.wait) as silent, Endpoint(slow) as halfway:
        def servers() -> int:
            """Sockets of the other side, which are in this process, too."""
            return silent.visits + halfway.visits
        assert run(all_of_them(silent, halfway))
    lookup.released.set()


def test_attempts_leave_no_task_and_no_socket(run, authority):
    async def some(good, bad):
        before = sockets(), len(asyncio.all_tasks())
        for endpoint in (good, bad):
            for _ in range(5):
                await secure(endpoint, authority.ca, of=work(timeout=0.2))
                await deliver(endpoint.url(), work(timeout=0.2))
        for _ in range(500):
            if (sockets(), len(asyncio.all_tasks())) <= before:
                return True
            await asyncio.sleep(0.01)
        return sockets(), before

    with Endpoint(answer(), context=authority.context("hooks.example")) as good, Endpoint(b"") as bad:
        assert run(some(good, bad)) is True
