def test_a_notice_is_kept_and_answered(app, client):
    reply = client.notice({"noticeId": "1", "productId": 1, "eventType": 103, "payload": {"channelName": "x"}})
    assert reply.status == 200 and reply.json["duplicate"] is False
    assert [line["id"] for line in app.lines()] == [reply.json["id"]]


def test_session(client, admin):
    assert client.get("/api/session").json["admin"] is False
    assert admin.get("/api/session").json["admin"] is True


def test_health(app, client, admin):
    assert client.get("/health").json["status"] == "healthy"
    for path in ("/metrics", "/debug/cache", "/api/system"):
        assert client.get(path).status == 401
        assert admin.get(path).status == 200


def test_pages(app, client, admin):
    client.notice({"noticeId": "1", "productId": 1, "eventType": 103, "payload": {"channelName": "x"}})
    client.notice(b"{}", secret="wrong")
    for path in ("/api/overview", "/api/events", "/api/rejections", "/api/apps"):
        reply = admin.get(path)
        assert reply.status == 200, reply
        print(path, reply.json)
