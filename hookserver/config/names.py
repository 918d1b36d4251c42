"""What the parts of conf.yaml say of each other: names that must exist, paths that only one may have, warnings about the whole."""

from __future__ import annotations

from hookserver.config.model import TunnelSettings
from hookserver.config.sections import suggestion
from hookserver.config.tree import Listing, Place, Table
from hookserver.core.announcements import PROVIDER, TYPES

ALL = "*"
JOBS = "jobs"   # the source of the job service's events


def check(values: dict, root: Table) -> None:
    """``values`` are those of the root section. Raises ConfigError that names the place."""
    _check_paths(values["sources"], root)
    _check_addresses(values, root)
    _check_ports(values["server"].port, values["tunnel"], root)
    _check_reach(values, root)
    sources, destinations = {*values["sources"]}, {*values["destinations"]}
    own = {PROVIDER: "of what hookserver itself has to tell"} | ({JOBS: "of the job service"} if values["jobs"] is not None else {})
    for name, whose in own.items():
        if name in sources:
            raise root.entries["sources"].key_places[name].error(f"is the name of the source {whose}", "choose another name")
        sources.add(name)
    for name in values["feeds"]:
        if name in sources:
            raise root.entries["feeds"].key_places[name].error("is the name of a source, too", "choose another name: both are sources of events")
    sources |= {*values["feeds"]}
    for name, source in values["sources"].items():
        if getattr(source, "feed", None) is not None:
            _check_known(root.entries["sources"].entries[name].entries["feed"].place, source.feed, {*values["feeds"]}, "feed")
    if values["listing"] is not None and values["listing"].sources:
        for place, name in _placed(values["listing"].sources, root.entries["listing"], "sources"):
            _check_known(place, name, sources, "source")
    rules = list(zip(values["routes"], root.entries["routes"].items)) if values["routes"] else []
    for rule, table in rules:
        for place, name in _placed(rule.sources, table, "from"):
            if name != ALL:
                _check_known(place, name, sources, "source")
        for place, name in _placed(rule.to, table, "to"):
            _check_known(place, name, destinations, "destination")
    if values["notify"].to:
        for place, name in _placed(values["notify"].to, root.entries["notify"], "to"):
            _check_known(place, name, destinations, "destination")


def warnings(values: dict) -> list[str]:
    """What is allowed, and probably not meant."""
    found = []
    if not values["sources"] and not values["feeds"] and values["jobs"] is None:
        found.append("there are no sources: every webhook will be refused (and kept as a rejection)")
    retention = values["store"].retention
    # A rebuild learns the keys of events from the log, so it forgets those that retention removed.
    found += [f"sources.{source.name}.dedup.window is longer than store.retention: after a rebuild, copies of events "
              "that were removed from the log are not recognised"
              for source in values["sources"].values() if retention is not None and source.dedup_window > retention]
    server = values["server"]
    if server.site_url is not None and server.tls is None and not server.trusted_proxies:
        found += [f"sources.{source.name}.allow_ips: no proxy is trusted, so behind one all senders have its address (server.trusted_proxies)"
                  for source in values["sources"].values() if source.terms.allow_ips is not None]
    types = {source.type for source in values["sources"].values()} | ({"feed"} if values["feeds"] else set())
    found += [f"notify.on: nothing tells {type}, because no source is of the type {TYPES[type]}"
              for type in values["notify"].on if TYPES[type] not in (None, *types)]
    taken = {path.rstrip("/") for source in values["sources"].values() for path in source.paths.values()}
    found += [f"tunnel.paths: {path} belongs to no source" for path in values["tunnel"].paths if values["tunnel"].enabled and path.rstrip("/") not in taken]
    used = {name for route in values["routes"] for name in route.to} | {*values["notify"].to}
    return found + [f"destinations.{name}: no route leads here, and notify does not name it"
                    for name in values["destinations"] if name not in used]


def _check_ports(port: int, tunnel: TunnelSettings, root: Table) -> None:
    """The tunnel's port serves little, the server's serves all: they cannot be one."""
    if tunnel.enabled and port and tunnel.port == port:
        table = root.entries["tunnel"]
        place = table.entries["port"].place if "port" in table.entries else table.place.below("port", table.place.line)
        raise place.error(f"is {port}, and so is server.port", "give one of them another number, for example server.port: 8000; both are 8080 by default")


def _check_reach(values: dict, root: Table) -> None:
    """A webhook that is registered needs an address at which it can be reached."""
    tunnel, site = values["tunnel"], values["server"].site_url
    for name, source in values["sources"].items():
        if getattr(source, "register", None) is None:
            continue
        place = root.entries["sources"].entries[name].key_places["register"]
        if not site and not (tunnel.enabled and (tunnel.url or tunnel.type == "quick")):
            raise place.error("needs an address to register", "set server.site_url, or use a tunnel")
        if tunnel.enabled and source.path not in tunnel.paths:
            raise place.error(f"needs {source.path} among tunnel.paths", "what is not there does not come through the tunnel")


def _check_known(place: Place, name: str, known: set[str], what: str) -> None:
    if name not in known:
        raise place.error(f"there is no {what} {name}", suggestion(name, sorted(known)))


def _placed(names: tuple[str, ...], table: Table, key: str) -> list[tuple[Place, str]]:
    """Each name with the place where it stands under ``key``."""
    node = table.entries[key]
    return [(scalar.place, name) for scalar, name in zip(node.items if isinstance(node, Listing) else [node], names)]


def _check_paths(sources: dict, root: Table) -> None:
    """One path belongs to one source."""
    owner: dict[str, str] = {}
    for name, source in sources.items():
        for label, path in source.paths.items():
            if path in owner:
                place = _path_place(root.entries["sources"].entries[name], label)
                raise place.error(f"belongs to source {owner[path]} already; {path} can have one source only")
            owner[path] = name


def _check_addresses(values: dict, root: Table) -> None:
    """A sender that signs the address it posts to has to have one that is known."""
    for name, source in values["sources"].items():
        if getattr(source, "signs_url", False) and source.public_url is None and values["server"].site_url is None:
            place = root.entries["sources"].entries[name].place
            raise place.below("public_url", place.line).error("is missing: its sender signs the address that it posts to",
                                                              "say public_url here, or server.site_url")


def _path_place(table: Table, label: str) -> Place:
    """Where a path of a source was written: its app, its ``path``, or the source itself."""
    if "apps" in table.entries:
        return table.entries["apps"].key_places[label]
    return table.key_places.get("path", table.place)
