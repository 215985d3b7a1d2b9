"""Serving on this machine, and the end by Ctrl-C."""

import signal
import subprocess

import pytest
import requests
from processes import started

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.explore.server import listening

ENDLESS = "select+count(*)+from+range(1000000)+a,range(1000000)+b+where+hash(a,b)=1"


def test_a_port_that_is_taken_is_told():
    with listening(0) as listener:
        port = listener.getsockname()[1]
        assert listener.getsockname()[0] == "127.0.0.1"
        with pytest.raises(InputError, match=rf"port {port} cannot be used \(Address already in use\): choose another"):
            listening(port).__enter__()


def test_a_port_that_is_none_is_told():
    with pytest.raises(InputError, match="port must be 0 to 65535, got 65536"):
        listening(65536).__enter__()


@pytest.fixture
def explorer(trapped, monkeypatch):
    """The command in a process of its own, and the line that it said."""
    monkeypatch.setenv("ENGAGEMENT_DATA", str(trapped.root))
    with started("explore", "--port", "0", "--no-browser", stdout=subprocess.PIPE) as process:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_in_silence_though_a_query_goes_on(trapped, explorer, number):
    process, line = explorer
    url = line.split()[-5]
    assert line == f"the explorer of {trapped.root}: {url} ; Ctrl-C ends it\n"
    with pytest.raises(requests.Timeout):
        requests.get(f"{url}sql?sql={ENDLESS}", timeout=1)
    process.send_signal(number)
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""
