"""Who may do what: tokens, cookies, hosts, other sites, and paths that try to get out."""

from __future__ import annotations

import os
import re

import pytest

from hookserver.errors import ConfigError
from hookserver.web.auth import Auth, load_token
from hookserver.web.base import Access, BaseHandler, Hosts
from hookserver.web.routes import TABLE, Row, build_application

from tests.web.raw import exchange, statuses

#: A value for each group of a pattern, so that every row of the table can be asked.
PATHS = {row: re.sub(r"\((?:\?:)?[^)]*\)", "x", row.pattern) for row in TABLE}
ADMIN_ROWS = [row for row in TABLE if row.access is Access.ADMIN]


@pytest.mark.parametrize("row", ADMIN_ROWS, ids=lambda row: row.pattern)
def test_every_admin_route_needs_the_token(app, client, row):
    wanted = "GET" if row.handler.get is not BaseHandler.get else "POST"
    reply = client.ask(wanted, PATHS[row])
    assert (reply.status, reply.code) == (401, "token_required")
    for wrong in ("Bearer wrong", "Bearer ", "Basic " + app.token, app.token, "Bearer é"):
        assert client.ask(wanted, PATHS[row], Authorization=wrong).status == 401
    assert client.ask(wanted, PATHS[row], Cookie=f"hookserver_admin={app.token}").status == 401


def test_what_is_public_is_a_short_list():
    assert {row.pattern for row in TABLE if row.access is Access.PUBLIC} == {
        "/", "/static/(.+)", "/api/login", "/api/logout", "/api/session", "/health", "/webhook-status",
        "/api/v1/jobs/([^/]+)/status", "/api/v1/jobs/([^/]+)/results"}


def test_a_row_without_access_stops_the_start():
    with pytest.raises(ValueError, match="/odd"):
        build_application(None, [Row("/odd", BaseHandler, None)])


def test_login_gives_a_cookie_that_is_not_the_token(app, client):
    assert client.post("/api/login", {"token": "wrong"}).code == "token_required"
    reply = client.post("/api/login", {"token": app.token})
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie
    assert "Secure" not in cookie and app.token not in cookie
    pair = cookie.partition(";")[0]
    assert client.get("/api/system", Cookie=pair).status == 200
    assert client.get("/api/session", Cookie=pair).json["admin"] is True
    assert client.get("/api/system", Cookie=pair, Authorization="Bearer wrong").status == 401
    out = client.post("/api/logout", {}, Cookie=pair)
    assert 'hookserver_admin=""' in out.headers["set-cookie"]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"token":1}', b'{"token":null}', b"\xff", b"{" * 5000,
                                  b'{"token":"\\ud800"}', b'{"token":"\xc3\xa9"}'])
def test_a_strange_login_is_no_fault_of_ours(client, body):
    assert client.ask("POST", "/api/login", body, Content_Type="application/json").status in (400, 401)


def test_logins_are_slowed_down(app, client):
    seen = [client.post("/api/login", {"token": "guess"}) for _ in range(12)]
    assert [reply.status for reply in seen] == [401] * 10 + [429] * 2
    assert 1 <= int(seen[-1].headers["retry-after"]) <= 60
    assert client.post("/api/login", {"token": app.token}).status == 429
    assert app.client(app.token).get("/api/system").status == 200  # the token itself still works


def test_the_cookie_is_secure_behind_a_trusted_tls_proxy(serve):
    app = serve(server='trusted_proxies: ["127.0.0.1"]')
    login = {"token": app.token}
    assert "Secure" in app.client().post("/api/login", login, X_Forwarded_Proto="https").headers["set-cookie"]
    assert "Secure" not in app.client().post("/api/login", login, X_Forwarded_Proto="http").headers["set-cookie"]


def test_the_token_file(tmp_path):
    file = tmp_path / "admin.token"
    token = load_token(file)
    assert re.fullmatch("[0-9a-f]{64}", token) and load_token(file) == token
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["admin.token"]
    assert Auth(token).cookie != Auth(token + "0").cookie
    for bad in (b"", b"short", b"\xff" * 40, b"with a space in the middle", b"two\nlines of text here"):
        file.write_bytes(bad)
        with pytest.raises(ConfigError, match="admin token"):
            load_token(file)


# hosts and other sites

@pytest.mark.parametrize("host, good", [
    ("127.0.0.1", True), ("127.0.0.1:9999", True), ("[::1]:80", True), ("localhost", True), ("LOCALHOST:1", True),
    ("192.0.2.7", True), ("hooks.example.com", True), ("hooks.example.com:443", True), ("evil.example", False),
    ("hooks.example.com.evil.example", False), ("localhost.evil.example", False), ("127.0.0.1.nip.io", False), ("2130706433", False)])
def test_the_application_answers_under_its_own_names_only(serve, host, good):
    app = serve(server='site_url: "https://hooks.example.com"')
    for path in ("/", "/health", "/api/session", "/static/js/main.js", "/nothing"):
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        (status,) = statuses(exchange(app.port, request))
        assert (status != 421) == good
    hook = f"POST /open/webhooks HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode()
    assert statuses(exchange(app.port, hook)) == [200]  # a sender may know us by any name


def test_hosts_knows_addresses_without_a_resolver():
    hosts = Hosts(None, "Hooks.Example.com")
    assert hosts.good("hooks.example.com") and hosts.good("[2001:db8::1]")
    assert not hosts.good("") and not hosts.good("0x7f000001")


@pytest.mark.parametrize("headers, status", [
    ({"Sec_Fetch_Site": "cross-site"}, 403), ({"Sec_Fetch_Site": "same-site"}, 403), ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403), ({"Sec_Fetch_Site": "same-origin"}, 200), ({"Sec_Fetch_Site": "none"}, 200),
    ({"Origin": "http://127.0.0.1"}, 200), ({}, 200)])
def test_a_post_from_another_site_is_refused(app, client, headers, status):
    for kind in ("application/json", "text/plain"):
        reply = client.post("/api/login", {"token": app.token}, **{"Content_Type": kind, **headers})
        assert reply.status == status, reply
        if status == 403:
            assert reply.code == "cross_origin"


def test_forms_are_not_read(client):
    body = b"--b\r\n" * 10_000
    reply = client.ask("POST", "/api/login", body, Content_Type="multipart/form-data; boundary=b")
    assert (reply.status, reply.code) == (400, "bad_request")
    reply = client.ask("POST", "/api/login", b"&" * 60_000, Content_Type="application/x-www-form-urlencoded")
    assert reply.status == 400


def test_nobody_is_allowed_from_elsewhere(admin):
    for path in ("/", "/api/system", "/nothing"):
        reply = admin.get(path, Origin="https://evil.example")
        assert "access-control-allow-origin" not in reply.headers
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
        assert reply.headers["server"] == "hookserver"


# paths

@pytest.mark.parametrize("path", [
    "/static/../setup.cfg", "/static/..%2fsetup.cfg", "/static/%2e%2e/setup.cfg", "/static//etc/passwd", "/static/%2fetc%2fpasswd",
    "/static/js/../../conf.yaml", "/static/js", "/static/js/", "/static/.git/config", "/static/a%00.js", "/static/%ff", "/static/",
    "/static/js%5c..%5cmain.js", "/..", "//etc/passwd", "/%", "/%zz", "/api/events/%ff", "/api/events/%00", "/api/events/..",
    "/api/channel/a/%e2%82", "/static/" + "a/" * 3000])
def test_no_path_leads_out_and_none_is_a_fault(admin, path):
    reply = admin.get(path)
    assert reply.status in (400, 404), reply
    assert reply.code in ("bad_request", "not_found")


def test_a_symbolic_link_is_not_followed(tmp_path):
    from hookserver.web.assets import Assets
    (tmp_path / "static").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "static" / "link.txt").symlink_to(tmp_path / "secret")
    (tmp_path / "static" / "up").symlink_to(tmp_path)
    (tmp_path / "static" / "real.txt").write_text("real")
    assets = Assets(tmp_path / "static")
    assert assets.get("link.txt") is None and assets.get("up/secret") is None
    assert assets.get("real.txt").body == b"real"
    (tmp_path / "static" / "real.txt").write_text("really")
    assert assets.get("real.txt").body == b"really"
    (tmp_path / "static" / "real.txt").unlink()
    assert assets.get("real.txt") is None


def test_the_page_and_its_files(client):
    page = client.get("/")
    assert page.status == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    for name in re.findall(r'(?:href|src)="(static/[^"]+)"', page.body.decode()):
        reply = client.get("/" + name)
        assert reply.status == 200, name
        assert client.get("/" + name, If_None_Match=reply.headers["etag"]).status == 304
    assert client.get("/static/js/main.js").headers["content-type"] == "text/javascript; charset=utf-8"


def test_head_of_a_page_has_no_body(app):
    request = b"HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    last = b"HEAD /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    answer = exchange(app.port, request + last)
    assert statuses(answer) == [200, 200] and answer.endswith(b"\r\n\r\n") and b"<" not in answer and b"{" not in answer


@pytest.mark.parametrize("method, status", [("PUT", 405), ("DELETE", 405), ("PATCH", 405), ("TRACE", 405), ("OPTIONS", 405),
                                            ("POST", 405), ("BREW", 405)])
def test_other_methods(client, method, status):
    reply = client.ask(method, "/api/session")
    assert (reply.status, reply.headers["allow"]) == (status, "GET")
    assert reply.code == "method_not_allowed"


@pytest.mark.parametrize("query", [
    "limit=0", "limit=501", "limit=x", "limit=1.5", "limit=-1", "limit=%D9%A1", "limit=" + "9" * 30, "before=0", "before=x",
    "since=yesterday", "since=2026-13-01", "until=2026-11-22T25:00:00Z", "since=%ff", "q=%00", "q=" + "a" * 3000, "limit=1&limit=2",
    "colour=red", "since=9999999-01-01", "since=0000-01-01"])
def test_a_bad_parameter_is_named(admin, query):
    reply = admin.get("/api/events?" + query)
    assert (reply.status, reply.code) == (400, "bad_parameter"), reply
    assert query.partition("=")[0] in reply.json["error"]["message"]


def test_an_unexpected_error_is_503_without_a_word_of_it(app, admin, log_watch, monkeypatch):
    async def broken():
        raise RuntimeError("the secret is 1234")
    monkeypatch.setattr(app.app.house.overview, "report", broken)
    with log_watch.expect("unexpected error") as lines:
        reply = admin.get("/api/overview")
    assert (reply.status, reply.code) == (503, "internal")
    assert b"1234" not in reply.body and b"Traceback" not in reply.body
    reference = re.search(r"logged under (\w+)", reply.json["error"]["message"])[1]
    assert reference in lines[0]
