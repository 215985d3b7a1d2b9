"""The Engagement API in a box: a server that answers like the vendor's, over a computed world.

It imports nothing of the rest of the project. Clients reach it by its URL, like the real API. Its data are a pure
function of a seed, so a test can ask the world for the number that a client must find.

    HTTP -> app -> auth · rate -> rules: Asked -> answers <- world <- counts
              faults: everything that can go wrong, on request, repeatable

`serve` runs it for the command line. `Emulator` runs it in a thread for a test:

    with Emulator(now=datetime(2026, 1, 31, tzinfo=UTC)) as emulator:
        emulator.credentials.write_accounts(path)
        emulator.faults.set(status_503=0.2)
        ...  # a client pulls from emulator.url
        assert emulator.world.count(tweet_id, "impressions", hour) == stored
        assert emulator.requests[0].status == 200
"""

from engagement_pipeline.emulator.app import LoggedRequest, Service, create_app
from engagement_pipeline.emulator.auth import Credentials
from engagement_pipeline.emulator.dials import Faults
from engagement_pipeline.emulator.faults import Dials
from engagement_pipeline.emulator.server import Emulator, serve
from engagement_pipeline.emulator.world import HANDLES, Tweet, World

__all__ = [
    "HANDLES",
    "Credentials",
    "Dials",
    "Emulator",
    "Faults",
    "LoggedRequest",
    "Service",
    "Tweet",
    "World",
    "create_app",
    "serve",
]
