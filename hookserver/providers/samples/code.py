"""Where code is written and built: GitHub, GitLab, Jira, Linear, Vercel, Webflow."""

from __future__ import annotations

from hookserver.providers.samples.sample import PROJECTS, Luck, Maker, Sample, sent

BRANCHES = ("main", "main", "develop", "fix/late-joins", "feature/search")
SUBJECTS = ("Say what went wrong", "Fewer copies", "A test for the empty list", "Names that tell", "Keep the order", "Half the memory")


def github(luck: Luck) -> Sample:
    """docs.github.com, "Webhook events and payloads": push, pull_request, issues, star."""
    project, (name, mail) = luck.choice(PROJECTS), luck.person()
    kind = luck.choice(("push", "push", "pull_request", "issues", "star"))
    repository = {"id": int(luck.digits(9)), "name": project, "full_name": f"example/{project}", "private": False,
                  "html_url": f"https://github.com/example/{project}", "default_branch": "main"}
    common = {"repository": repository, "sender": {"login": mail.split("@")[0], "id": int(luck.digits(7)), "type": "User"}}
    if kind == "push":
        body = {"ref": f"refs/heads/{luck.choice(BRANCHES)}", "before": luck.hex(40), "after": luck.hex(40), "forced": False,
                "commits": [{"id": luck.hex(40), "message": luck.choice(SUBJECTS), "timestamp": luck.iso,
                             "author": {"name": name, "email": mail}} for _ in range(luck.number(1, 3))], "pusher": {"name": name, "email": mail}}
    elif kind == "pull_request":
        number = luck.number(1, 900)
        body = {"action": luck.choice(("opened", "closed", "synchronize")), "number": number,
                "pull_request": {"number": number, "title": luck.choice(SUBJECTS), "state": "open", "merged": False,
                                 "head": {"ref": luck.choice(BRANCHES)}}}
    elif kind == "issues":
        body = {"action": luck.choice(("opened", "closed", "labeled")),
                "issue": {"number": luck.number(1, 900), "title": luck.choice(SUBJECTS), "state": "open"}}
    else:
        body = {"action": "created", "starred_at": luck.iso}
    return sent(body | common, {"X-GitHub-Event": kind, "X-GitHub-Delivery": luck.uuid(), "X-GitHub-Hook-ID": "452310",
                                "User-Agent": f"GitHub-Hookshot/{luck.hex(7)}"})


def gitlab(luck: Luck) -> Sample:
    """docs.gitlab.com, "Webhook events": push, merge request, pipeline."""
    project, (name, mail) = luck.choice(PROJECTS), luck.person()
    event, kind = luck.choice((("Push Hook", "push"), ("Merge Request Hook", "merge_request"), ("Pipeline Hook", "pipeline")))
    body = {"object_kind": kind, "user_name": name, "user_username": mail.split("@")[0],
            "project": {"id": luck.number(1, 99), "path_with_namespace": f"example/{project}"}}
    if kind == "push":
        body |= {"ref": f"refs/heads/{luck.choice(BRANCHES)}", "before": luck.hex(40), "after": luck.hex(40),
                 "total_commits_count": luck.number(1, 4)}
    elif kind == "merge_request":
        body |= {"object_attributes": {"iid": luck.number(1, 300), "title": luck.choice(SUBJECTS),
                                       "action": luck.choice(("open", "merge", "approved"))}}
    else:
        body |= {"object_attributes": {"id": int(luck.digits(6)), "ref": luck.choice(BRANCHES),
                                       "status": luck.choice(("success", "failed", "running")), "duration": luck.number(20, 900)}}
    return sent(body, {"X-Gitlab-Event": event, "X-Gitlab-Event-UUID": luck.uuid(), "Idempotency-Key": luck.uuid(), "User-Agent": "GitLab/17.4.0"})


def jira(luck: Luck) -> Sample:
    """developer.atlassian.com, "Jira webhooks"."""
    name, _ = luck.person()
    return sent({"timestamp": luck.ms, "webhookEvent": luck.choice(("jira:issue_created", "jira:issue_updated", "comment_created")),
                 "user": {"accountId": luck.hex(24), "displayName": name},
                 "issue": {"id": luck.digits(5), "key": f"{luck.choice(PROJECTS)[:4].upper()}-{luck.number(1, 999)}",
                           "fields": {"summary": luck.choice(SUBJECTS), "status": {"name": luck.choice(("To Do", "In Progress", "Done"))}}}},
                {"X-Atlassian-Webhook-Identifier": luck.uuid(), "User-Agent": "Atlassian Webhook HTTP Client"})


def linear(luck: Luck) -> Sample:
    """linear.app/developers, "Webhooks": the time stands in the body, in milliseconds."""
    name, _ = luck.person()
    kind = luck.choice(("Issue", "Comment", "Project"))
    return sent({"action": luck.choice(("create", "update", "remove")), "type": kind, "createdAt": luck.iso,
                 "actor": {"id": luck.uuid(), "name": name, "type": "user"},
                 "data": {"id": luck.uuid(), "number": luck.number(1, 2000), "title": luck.choice(SUBJECTS), "priority": luck.number(0, 4)},
                 "url": "https://linear.app/example/issue/EX-1", "organizationId": luck.uuid(), "webhookId": luck.uuid(),
                 "webhookTimestamp": luck.ms},
                {"Linear-Delivery": luck.uuid(), "Linear-Event": kind, "User-Agent": "Linear-Webhook"})


def vercel(luck: Luck) -> Sample:
    """vercel.com/docs, "Webhooks API reference"."""
    project = luck.choice(PROJECTS)
    return sent({"id": luck.text(24), "type": luck.choice(("deployment.created", "deployment.succeeded", "deployment.error", "deployment.promoted")),
                 "createdAt": luck.ms, "region": "iad1", "payload": {
                     "project": {"id": f"prj_{luck.text(24)}"}, "target": luck.choice(("production", None)),
                     "deployment": {"id": f"dpl_{luck.text(24)}", "name": project, "url": f"{project}-{luck.hex(9)}.vercel.app"},
                     "team": {"id": f"team_{luck.text(24)}"}}})


def webflow(luck: Luck) -> Sample:
    """developers.webflow.com, "Working with webhooks"."""
    name, mail = luck.person()
    return sent({"triggerType": "form_submission", "payload": {
        "name": "Contact", "siteId": luck.hex(24), "data": {"Name": name, "Email": mail, "Message": luck.choice(SUBJECTS)},
        "submittedAt": luck.iso, "id": luck.hex(24), "formId": luck.hex(24)}})


MAKERS: dict[str, Maker] = {"github": github, "gitlab": gitlab, "gitlab-signed": gitlab, "jira": jira, "linear": linear, "vercel": vercel, "webflow": webflow}
