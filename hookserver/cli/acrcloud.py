"""``hookserver acrcloud``: hand songs to a running server, and see which URL ACRCloud has to call back."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from hookserver.config import AcrcloudSource, Config
from hookserver.services.job_polling import JobApi, NoAnswer
from hookserver.services.song_sender import SongSender

from hookserver.cli.configured import read_config, source_named
from hookserver.cli.jobs import PAUSES, token_of
from hookserver.cli.progress import Progress
from hookserver.cli.send import address
from hookserver.cli.words import NoSuchThing, UsageError

OVER = ("analyzed", "no_results", "failed")


def upload(args: argparse.Namespace) -> int:
    """Exit code 1 when a song could not be handed in, or did not end well in time."""
    conf = read_config(args)
    source = None if args.source is None else acrcloud_source(conf, args.source).name
    server = args.url or address(conf)
    sender, code, songs = SongSender(server, token_of(conf), source), 0, []
    for given in args.files:
        try:
            songs.append(handed_in(sender, given))
        except (NoAnswer, OSError) as error:
            print(f"{given}: {getattr(error, 'strerror', None) or error}", flush=True)
            code = 1
    return (waited(JobApi(server, token_of(conf)), songs, args.wait) if args.wait else 0) or code


def handed_in(sender: SongSender, given: str) -> dict:
    """One song; says what became of it."""
    if given.startswith(("http://", "https://")):
        song = sender.link(given)
    else:
        path = Path(given)
        with Progress(path.name, "bytes", path.stat().st_size, every=2.0) as bar:
            song = sender.file(path, bar.update)
    print(f"{given}: song {song['song']}", flush=True)
    return song


def waited(api: JobApi, songs: list[dict], patience: float) -> int:
    """Print how each song has ended, once it has; 1 when one has failed, or not ended within ``patience`` seconds."""
    end, code, pauses = time.monotonic() + patience, 0, iter(PAUSES)
    while songs:
        for song in list(songs):
            found = asked(api, song["song"])
            if found.get("status") in OVER:
                songs.remove(song)
                code = code or int(found["status"] == "failed")
                print(f"{song['name']}: {told(found)}", flush=True)
        left = end - time.monotonic()
        if songs and left <= 0:
            print(*[f"{song['name']}: not analysed within {patience:g} s" for song in songs], sep="\n")
            return 1
        if songs:
            time.sleep(min(next(pauses, PAUSES[-1]), left))
    return code


def asked(api: JobApi, song: str) -> dict:
    """What is known of a song. NoSuchThing when the server does not tell."""
    try:
        return api.get(f"/api/songs/{song}")
    except NoAnswer as error:
        if error.status in (401, 403):
            raise NoSuchThing(str(error)) from None
        return {}


def told(song: dict) -> str:
    """A song that is over, in a line."""
    return ": ".join(filter(None, [song["status"], song["verdict"], "; ".join(song["reasons"]) or song["reason"]]))


def callback_url(args: argparse.Namespace) -> int:
    """Print the URL for the container of each source."""
    conf = read_config(args)
    sources = [source for source in conf.sources.values() if isinstance(source, AcrcloudSource)] if args.source is None \
        else [acrcloud_source(conf, args.source)]
    if not sources:
        raise NoSuchThing(f"{conf.file} has no source of type acrcloud")
    for source in sources:
        if not source.callback_path:
            raise NoSuchThing(f"the callback token of {source.name} is made when the server starts for the first time; start it, then ask again")
        print((conf.server.site_url or address(conf)) + source.callback_path)
    if conf.server.site_url is None:
        raise NoSuchThing("server.site_url is not set, so this address is that of this machine, where ACRCloud cannot call")
    return 0


def acrcloud_source(conf: Config, name: str) -> AcrcloudSource:
    """The source called ``name``. UsageError when it is none of this type."""
    source = source_named(conf, name)
    if not isinstance(source, AcrcloudSource):
        raise UsageError(f"source {name} is not of type acrcloud")
    return source
