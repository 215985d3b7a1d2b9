"""The browser of a person who lets the app in by OAuth 2, and accounts that did."""

import re
from datetime import UTC, datetime

import requests

from engagement_pipeline.transport import accounts, authorizing

TOKEN_HOST = "/2/oauth2/token"


def landing(url, handle):
    """Open the page as a handle, let the app in, and return the address where the browser lands."""
    page = requests.get(f"{url}&handle={handle}", allow_redirects=False, timeout=60)
    return page.headers["location"]


def let_in(world, handle, *, visitor=None, pasted=landing):
    """Authorise a handle of an emulated world; `visitor` is who is logged in, `pasted` what they copy."""
    authorizing.authorize(
        world.accounts,
        handle,
        x_api_url=world.emulator.url,
        timeout_seconds=10,
        ask_code=lambda url: pasted(url, visitor or handle),
    )


def app_alone(path):
    """Leave of an accounts file the app alone."""
    path.write_text(path.read_text().partition("\n[accounts.")[0] + "\n")


def held(world, handle):
    """Return the OAuth 2 tokens that the file has for a handle."""
    return accounts.glance(world.accounts).by_handle[handle].oauth2


def expire_in_file(world):
    """Have the file say that all access tokens are over."""
    past = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    text = world.accounts.read_text()
    world.accounts.write_text(re.sub("oauth2_expires_at = .*", f"oauth2_expires_at = {past}", text))


def revoke(world, token):
    """Have the API forget a token."""
    ours = world.emulator.credentials
    form = {"token": token}
    url = f"{world.emulator.url}/2/oauth2/revoke"
    requests.post(url, data=form, auth=(ours.client_id, ours.client_secret), timeout=60).raise_for_status()


def refreshes(world):
    """Return the statuses of the refreshes, and of the codes that were spent before."""
    return [asked.status for asked in world.emulator.v2.requests if asked.path == TOKEN_HOST]
