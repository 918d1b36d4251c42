"""Entries of a list of files, as somebody pushes them to a source that belongs to a feed: in both forms, and for people only, so that nothing is fetched."""

from __future__ import annotations

from hookserver.providers.samples.sample import PROJECTS, Luck, Sample, sent

ENDINGS = (".zip", ".mov", ".wav", ".srt", ".pdf")


def entry(luck: Luck) -> Sample:
    """A link that is nobody's."""
    link = luck.choice((f"https://fromsmash.com/{luck.text(10)}-dt", f"https://www.swisstransfer.com/d/{luck.uuid()}", f"https://files.example.com/{luck.hex(12)}"))
    if luck.number(1, 3) == 1:
        return sent({"url": link, "timestamp": luck.iso[:19].replace("T", " "), "source": "webhook"})
    return sent({"source_url": link, "provider": luck.choice(("fromsmash", "swisstransfer", "studio")), "created_at": luck.iso,
                 "original_filename": f"{luck.number(1, 99)} {luck.choice(PROJECTS)}{luck.choice(ENDINGS)}"})
