"""A store with buckets: moto on this machine, or the one that the variables of ceph.py or azurite.py lead to."""

import logging
import os
import uuid
from contextlib import contextmanager

from engagement_pipeline.core.places import in_bucket

REAL = "STORE_OF_THE_TESTS"  # the variable with which they say that the others lead to a store for tests
ENDPOINTS = {"AWS_ENDPOINT_URL", "AZURE_STORAGE_ENDPOINT"}


@contextmanager
def store():
    """Yield the variables with which a process finds a store."""
    if os.environ.get(REAL):
        yield {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "AZURE_"))}
        return
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - it takes a second to import

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "moto",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.stop()


def new_place():
    """Make a bucket in the store of the variables; return the place of a lake in it."""
    name = f"lake-{uuid.uuid4().hex[:12]}"
    if "AZURE_STORAGE_ENDPOINT" in os.environ:
        import azurite  # noqa: PLC0415 - which asks for this module

        azurite.make_container(name)
        return in_bucket(f"az://{name}/data/lake")
    import boto3  # noqa: PLC0415

    boto3.client("s3").create_bucket(Bucket=name)
    return in_bucket(f"s3://{name}/data/lake")
