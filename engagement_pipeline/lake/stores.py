"""How the store of a bucket is opened.

In: a bucket, as s3://bucket. Out: a store of obstore's, which signs and sends.

obstore finds endpoint, region and credentials by itself: in the variables AWS_…, or from the machine that it runs on.
Where AWS_PROFILE names a profile, boto3 reads it. No key is ever seen here.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.errors import InputError

if TYPE_CHECKING:
    from obstore.store import S3Store

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
TRIES = 10  # of a request that fails with what is usually temporary
PATIENCE = timedelta(minutes=3)  # for all tries of a request
TIMEOUT = timedelta(minutes=2)  # of one try


def variables() -> tuple[tuple[str, str], ...]:
    """Return the variables with which the store is opened, with their values."""
    return tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))


def endpoint() -> str:
    """Return the address of the store, empty for that of AWS."""
    return next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")


def library() -> Any:  # noqa: ANN401 - a module
    """Return obstore; InputError where it is not installed."""
    try:
        import obstore  # noqa: PLC0415 - only who has a bucket needs it
        import obstore.exceptions  # noqa: PLC0415
    except ImportError:
        raise InputError(
            "a lake in a bucket needs libraries that are not installed: in a clone of the project, pip install '.[s3]'"
        ) from None
    return obstore


def opened(bucket: str) -> S3Store:
    """Return the store of a bucket."""
    from obstore.store import S3Store  # noqa: PLC0415

    at = endpoint()
    given: Any = {"endpoint": at} if at else {}
    if os.environ.get("AWS_PROFILE"):
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

        try:
            given["credential_provider"] = Boto3CredentialProvider()
        except Exception as error:  # noqa: BLE001 - boto3 has many of its own
            raise InputError(f"AWS_PROFILE names a profile without credentials ({type(error).__name__})") from None
    return S3Store(
        bucket.partition("://")[2],
        client_options={"allow_http": at.startswith("http://"), "timeout": TIMEOUT},
        retry_config={"max_retries": TRIES, "retry_timeout": PATIENCE},
        **given,
    )
