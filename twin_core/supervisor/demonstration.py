"""The demonstration: its people, its plants and its pace. The product is the same without it."""

import os
from collections.abc import Mapping, MutableMapping

from twin_core.supervisor.roster import DEMO, DEMO_SPEED, ROSTER
from twin_core.supervisor.site import Site

# At this pace advice waits 36 h of process time, 216 s of wall time, for its signatures.
PACE = {
    "TWIN_DEMO_SPEED": str(DEMO_SPEED),
    "TWIN_ADVICE_VALID_H": "36",
    "TWIN_SEAL_SEGMENTS_S": "10",
    "TWIN_WRITE_BACK_ENABLED": "true",
}
# Nobody reads: as fast as a small machine can follow.
HEADLESS_PACE = {**PACE, "TWIN_DEMO_SPEED": "3600", "TWIN_ADVICE_VALID_H": "96"}


def set_pace(pace: Mapping[str, str], environment: MutableMapping[str, str] = os.environ) -> None:
    """Set what the environment leaves open: pace is configuration, not another way of working."""
    for name, value in pace.items():
        environment.setdefault(name, value)


def begin(site: Site) -> None:
    """Enter the people at the first start, print how they sign in, and start set-up and plants."""
    from django.db import connection

    from twin_core.supervisor import people

    is_first = not people.load(site.services.folder.path)
    everybody = people.make(site.services.folder.path)
    connection.close()  # what the set-up goes on with is its own process's
    if is_first:
        for line in people.table(everybody):
            site.say(line)
    site.start([entry for entry in ROSTER if entry.group == DEMO])
