"""How the store of a bucket is opened: by its scheme, with its own variables."""

import pytest

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.places import BUCKETS
from engagement_pipeline.lake import stores

AZURE = {"AZURE_STORAGE_ACCOUNT_NAME": "lakes", "AZURE_STORAGE_ACCOUNT_KEY": "c2VjcmV0"}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for bucket in ("s3://bucket", "az://container"):
        for name, _ in stores.variables(bucket):
            monkeypatch.delenv(name)


def setting(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_each_address_that_is_taken_has_a_kind_of_store():
    assert stores.KINDS.keys() == BUCKETS.keys()


def test_a_store_is_opened_with_the_variables_of_its_kind(monkeypatch):
    setting(monkeypatch, AZURE | {"AWS_REGION": "eu-west-1"})
    assert dict(stores.variables("az://container")) == AZURE
    assert dict(stores.variables("s3://bucket")) == {"AWS_REGION": "eu-west-1"}
    assert type(stores.opened("az://container")).__name__ == "AzureStore"
    assert type(stores.opened("s3://bucket")).__name__ == "S3Store"


def test_the_address_of_a_store_is_that_of_its_kind(monkeypatch):
    setting(monkeypatch, AZURE | {"AWS_ENDPOINT_URL": "http://s3", "AZURE_STORAGE_ENDPOINT": "http://az/lakes"})
    assert stores.endpoint("s3://bucket") == "http://s3"
    assert stores.endpoint("az://container") == "http://az/lakes"
    assert stores.opened("az://container").config["endpoint"] == "http://az/lakes"


@pytest.mark.parametrize("at", ["https://store.example.com", "HTTP://[::1]:9000/", "http://my_store:9000/a/b"])
def test_a_url_is_the_address_of_a_store(monkeypatch, at):
    setting(monkeypatch, {"AWS_ENDPOINT_URL": at})
    assert stores.endpoint("s3://bucket") == at


@pytest.mark.parametrize(
    "at",
    [
        "store:9000",
        "ftp://store",
        "http://",
        "http://store:port",
        "http://store:99999",
        "https://store?a=b",
        "http://key:secret@store",
    ],
)
def test_what_is_no_address_of_a_store_is_told_by_its_variable_without_it(monkeypatch, at):
    setting(monkeypatch, {"AWS_ENDPOINT_URL": at})
    with pytest.raises(InputError) as refused:
        stores.opened("s3://bucket")
    assert str(refused.value) == (
        "AWS_ENDPOINT_URL must be a URL such as https://store.example.com, without a login in it"
    )


@pytest.mark.parametrize(
    "variables", [{}, AZURE | {"AZURE_STORAGE_ACCOUNT_KEY": "not-base64!"}, AZURE | {"AZURE_CREDENTIAL_TYPE": "wrong"}]
)
def test_what_is_wrong_with_the_variables_is_told_in_one_line_without_them(monkeypatch, variables):
    setting(monkeypatch, variables)
    with pytest.raises(InputError) as refused:
        stores.opened("az://container")
    assert str(refused.value) == (
        "az://container cannot be opened, since one of the variables AZURE_… is wrong or missing: set "
        "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY, or with AZURE_USE_AZURE_CLI=true"
    )
