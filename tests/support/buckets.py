"""A store with buckets on this machine: moto, as a server."""

import logging
import urllib.request
import uuid
from contextlib import contextmanager

from engagement_pipeline.core.places import in_bucket

KEYS = {"AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "not-a-secret", "AWS_REGION": "us-east-1"}


@contextmanager
def moto():
    """Run moto's server, and yield its address."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - it takes a second to import

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def make_bucket(url):
    """Make a bucket in moto, which asks for no signature; return its name."""
    name = f"lake-{uuid.uuid4().hex[:12]}"
    with urllib.request.urlopen(urllib.request.Request(f"{url}/{name}", method="PUT")):
        return name


def environment(url):
    """Return the variables with which a process finds a store."""
    return {"AWS_ENDPOINT_URL": url, **KEYS}


def place(bucket, prefix="data/lake"):
    """Return the place of a lake in a bucket."""
    return in_bucket(f"s3://{bucket}/{prefix}")
