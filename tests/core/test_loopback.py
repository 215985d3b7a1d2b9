"""This machine itself: what names it, and how children are told to reach it."""

import pytest

from engagement_pipeline.core.loopback import is_loopback, without_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST", "::1"])
def test_this_machine_has_many_names(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", None, "127.0.0.1.example.org", "localhost.example.org", "10.0.0.1", "::2"])
def test_no_other_host_is_this_machine(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("before", [{}, {"NO_PROXY": ".corp"}, {"no_proxy": ".corp", "NO_PROXY": "other"}])
def test_a_child_reaches_this_machine_and_keeps_the_other_exceptions(before):
    after = without_loopback(before)
    assert after["no_proxy"] == after["NO_PROXY"]
    names = after["no_proxy"].split(",")
    assert {"localhost", "127.0.0.1", "::1"} <= set(names)
    assert (".corp" in names) == bool(before)
