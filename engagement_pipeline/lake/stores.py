"""The stores that are known, by the scheme of a bucket's address, and how one is opened.

In: a bucket, as s3://bucket or az://container. Out: a store of obstore's, which signs and sends.

obstore finds endpoint, region, account and credentials by itself: in the variables AWS_… or AZURE_…, or from the
machine that it runs on. Where AWS_PROFILE names a profile, boto3 reads it. No key is ever seen here.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import Any, NamedTuple

from engagement_pipeline.core.errors import InputError

TRIES = 10  # of a request that fails with what is usually temporary
PATIENCE = timedelta(minutes=3)  # for all tries of a request
TIMEOUT = timedelta(minutes=2)  # of one try
# What obstore ends in a panic for, where it is none.
ENDPOINT = re.compile(r"https?://([\w.-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?(/[^\s?#@]*)?", re.IGNORECASE)
PORTS = range(1, 2**16)


class Kind(NamedTuple):
    """A kind of store."""

    name: str  # of obstore's class
    variables: str  # what those that it reads begin with
    endpoints: tuple[str, ...]  # of these, those that name its address, where it is not its maker's
    needed: str  # what to set where none are set
    copies: bool  # whether a copy is there once the store has answered


KINDS = {
    "s3": Kind(
        name="S3Store",
        variables="AWS_",
        endpoints=("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        needed="AWS_PROFILE, or AWS_ACCESS_KEY_ID",
        copies=True,
    ),
    "az": Kind(
        name="AzureStore",
        variables="AZURE_",
        endpoints=("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
        needed="AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY, or with AZURE_USE_AZURE_CLI=true",
        copies=False,
    ),
}


def kind(bucket: str) -> Kind:
    """Return which kind of store a bucket is in; it may be the address of an object too."""
    return KINDS[bucket.partition(":")[0]]


def variables(bucket: str) -> tuple[tuple[str, str], ...]:
    """Return the variables with which a bucket's store is opened, with their values."""
    return tuple(sorted(item for item in os.environ.items() if item[0].startswith(kind(bucket).variables)))


def endpoint(bucket: str) -> str:
    """Return the address of a bucket's store, empty for that of Amazon or Microsoft; InputError where it is none."""
    for name in kind(bucket).endpoints:
        if at := os.environ.get(name):
            found = ENDPOINT.fullmatch(at)
            if not found or int(found["port"] or 1) not in PORTS:
                raise InputError(f"{name} must be a URL such as https://store.example.com, without a login in it")
            return at
    return ""


def library() -> Any:  # noqa: ANN401 - a module
    """Return obstore; InputError where it is not installed."""
    try:
        import obstore  # noqa: PLC0415 - only who has a bucket needs it
        import obstore.exceptions  # noqa: PLC0415
        import obstore.store  # noqa: PLC0415
    except ImportError:
        raise InputError(
            "a lake in a bucket needs libraries that are not installed: in a clone of the project, pip install '.[s3]'"
        ) from None
    return obstore


def opened(bucket: str) -> Any:  # noqa: ANN401 - obstore's
    """Return the store of a bucket; InputError where the variables do not tell how to open it."""
    obstore, at, asked = library(), endpoint(bucket), kind(bucket)
    given: Any = {"endpoint": at} if at else {}
    if asked.variables == "AWS_" and os.environ.get("AWS_PROFILE"):
        given["credential_provider"] = _profile()
    try:
        return getattr(obstore.store, asked.name)(
            bucket.partition("://")[2],
            client_options={"allow_http": at.lower().startswith("http://"), "timeout": TIMEOUT},
            retry_config={"max_retries": TRIES, "retry_timeout": PATIENCE},
            **given,
        )
    except obstore.exceptions.BaseError:
        raise InputError(
            f"{bucket} cannot be opened, since one of the variables {asked.variables}… is wrong or missing: "
            f"set {asked.needed}"
        ) from None


def _profile() -> Any:  # noqa: ANN401 - obstore's
    """Return what gets the credentials of the profile that AWS_PROFILE names."""
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

    try:
        return Boto3CredentialProvider()
    except Exception as error:  # noqa: BLE001 - boto3 has many of its own
        raise InputError(f"AWS_PROFILE names a profile without credentials ({type(error).__name__})") from None
