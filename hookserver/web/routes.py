"""The route table. Each row states who may use it, and the server does not start on a row that does not.

Hook paths are not rows: the front door hands them to ``intake`` first, and each of them is signed,
or says ``verify: none`` in its source.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tornado import httputil, web

from hookserver.web import agora, api, assets, deliveries, feeds, frameio, jobs, live, metrics, replay, routing, session, songs, uploads
from hookserver.web.base import Access, BaseHandler, NotFound

PUBLIC, SIGNED, ADMIN = Access.PUBLIC, Access.SIGNED, Access.ADMIN


class Row(NamedTuple):
    """One path: ``pattern`` is a regular expression over the path as sent, percent-encoded."""

    pattern: str
    handler: type[BaseHandler]
    access: Access


TABLE = (
    Row(r"/", assets.AssetHandler, PUBLIC),
    Row(r"/static/(.+)", assets.AssetHandler, PUBLIC),
    Row(r"/api/login", session.Login, PUBLIC),
    Row(r"/api/logout", session.Logout, PUBLIC),
    Row(r"/api/session", session.Session, PUBLIC),
    Row(r"/api/overview", api.Overview, ADMIN),
    Row(r"/api/apps", api.Apps, ADMIN),
    Row(r"/api/events", api.Events, ADMIN),
    Row(r"/api/events/([^/]+)", api.Event, ADMIN),
    Row(r"/api/events/([^/]+)/raw", api.EventRaw, ADMIN),
    Row(r"/api/rejections", api.Rejections, ADMIN),
    Row(r"/api/rejections/([^/]+)", api.Rejection, ADMIN),
    Row(r"/api/rejections/([^/]+)/raw", api.RejectionRaw, ADMIN),
    Row(r"/api/inbox", api.Inbox, ADMIN),
    Row(r"/api/tasks", deliveries.Tasks, ADMIN),
    Row(r"/api/tasks/([^/]+)", deliveries.Task, ADMIN),
    Row(r"/api/tasks/([^/]+)/retry", deliveries.RetryTask, ADMIN),
    Row(r"/api/tasks/([^/]+)/cancel", deliveries.CancelTask, ADMIN),
    Row(r"/api/destinations", deliveries.Destinations, ADMIN),
    Row(r"/api/destinations/([^/]+)/enable", deliveries.EnableDestination, ADMIN),
    Row(r"/api/destinations/([^/]+)/disable", deliveries.DisableDestination, ADMIN),
    Row(r"/api/destinations/([^/]+)/test", deliveries.TestDestination, ADMIN),
    Row(r"/api/routes", routing.Routes, ADMIN),
    Row(r"/api/routes/try", routing.TryRoutes, ADMIN),
    Row(r"/acrcloud/upload/", uploads.UploadState, ADMIN),
    Row(r"/api/jobs", jobs.Jobs, ADMIN),
    Row(r"/api/v1/jobs/([^/]+)/status", jobs.JobStatus, PUBLIC),
    Row(r"/api/v1/jobs/([^/]+)/results", jobs.JobResults, PUBLIC),
    Row(r"/api/v1/jobs/([^/]+)/lots/([^/]+)", jobs.LotAnswer, SIGNED),
    Row(r"/api/v1/webhook-metrics", jobs.WebhookMetrics, ADMIN),
    Row(r"/api/v1/webhook-health", jobs.WebhookHealth, ADMIN),
    Row(r"/api/v1/webhook-failures", jobs.WebhookFailures, ADMIN),
    Row(r"/api/assets", frameio.Assets, ADMIN),
    Row(r"/api/assets/([^/]+)/([^/]+)", frameio.Asset, ADMIN),
    Row(r"/api/assets/([^/]+)/([^/]+)/look", frameio.LookUp, ADMIN),
    Row(r"/webhook-status", frameio.WebhookStatus, PUBLIC),
    Row(r"/api/songs", songs.SongList, ADMIN),
    Row(r"/api/songs/([^/]+)", songs.Song, ADMIN),
    Row(r"/api/songs/([^/]+)/report", songs.SongReport, ADMIN),
    Row(r"/api/songs/([^/]+)/results", songs.SongResults, ADMIN),
    Row(r"/api/replay", replay.Replay, ADMIN),
    Row(r"/api/mappings", agora.Mappings, ADMIN),
    Row(r"/api/mappings/platforms", agora.Mappings, ADMIN),
    Row(r"/api/channels/([^/]+)", agora.Channels, ADMIN),
    Row(r"/api/channel/([^/]+)", agora.Channel, ADMIN),
    Row(r"/api/channel/([^/]+)/([^/]+)", agora.Channel, ADMIN),
    Row(r"/api/user/([^/]+)", agora.User, ADMIN),
    Row(r"/api/user/([^/]+)/([^/]+)", agora.User, ADMIN),
    Row(r"/api/export/([^/]+)", agora.Export, ADMIN),
    Row(r"/api/tasks/([^/]+)/pause", deliveries.PauseTask, ADMIN),
    Row(r"/api/tasks/([^/]+)/resume", deliveries.RetryTask, ADMIN),
    Row(r"/api/feeds", feeds.Feeds, ADMIN),
    Row(r"/api/feeds/([^/]+)", feeds.Feed, ADMIN),
    Row(r"/api/feeds/([^/]+)/look", feeds.LookAtFeed, ADMIN),
    Row(r"/api/feeds/([^/]+)/files", feeds.Files, ADMIN),
    Row(r"/api/feeds/([^/]+)/files/([^/]+)/download", feeds.DownloadFile, ADMIN),
    Row(r"/api/csv_monitor_status", feeds.MonitorStatus, ADMIN),
    Row(r"/api/downloads", feeds.Downloads, SIGNED),
    Row(r"/api/live", live.LiveHandler, ADMIN),
    Row(r"/api/system", metrics.SystemPage, ADMIN),
    Row(r"/health", metrics.Health, PUBLIC),
    Row(r"/metrics", metrics.MetricsHandler, ADMIN),
    Row(r"/debug/cache", metrics.Cache, ADMIN),
)


def build_application(house, table: Iterable[Row] = TABLE) -> web.Application:
    """The Tornado application over ``house``. Raises ValueError for a row that does not say its access."""
    rules = []
    for row in table:
        if not isinstance(row.access, Access):
            raise ValueError(f"the route {row.pattern} does not state its access")
        rules.append(web.url(row.pattern, row.handler, {"access": row.access, "house": house}))
    forbid_forms()
    return web.Application(
        rules, default_handler_class=NotFound, default_handler_args={"access": PUBLIC, "house": house},
        cross_origin_protection=True, log_function=lambda handler: None, compress_response=False)


def forbid_forms() -> None:
    """No form of any kind is parsed: our bodies are JSON. The setting is Tornado's own, for the process."""
    httputil.set_parse_body_config(httputil.ParseBodyConfig(
        multipart=httputil.ParseMultipartConfig(enabled=False),
        urlencoded=httputil.ParseUrlEncodedConfig(max_arguments=100)))
