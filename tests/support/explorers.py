"""An explorer that answers on a free port, from this process."""

from contextlib import contextmanager
from threading import Thread

import uvicorn

from engagement_pipeline.explore.server import configured, listening

WHOLE = {"first": ["2025-12-01"], "last": ["2026-01-29"]}  # all days of the lake with a case of each trap


@contextmanager
def served(lake):
    """Yield the address of an explorer that answers from a thread."""
    with listening(0) as listener:
        server = uvicorn.Server(configured(lake))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()
