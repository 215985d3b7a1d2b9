"""X API v2 in a box, beside the Engagement API: the same world, the same credentials, the same port, under /2.

    HTTP -> service -> auth · rate · faults -> Question -> an endpoint -> JSON
        analytics <- window · metrics · series        damages: the faults in a body

The vendor's description is strict about parameters and loose about all else. What it leaves open is marked "ours", and
a dial where clients should meet more than one reading.
"""

from engagement_pipeline.emulator.v2.dials import Dials
from engagement_pipeline.emulator.v2.service import LoggedRequest, Service

__all__ = ["Dials", "LoggedRequest", "Service"]
