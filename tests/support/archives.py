"""Account archives as X makes them: a zip of scripts, each of which assigns a list to a name."""

import json
import zipfile

QUIET = {
    "id_str": "1212092628029698048",
    "full_text": "A quiet morning https://t.co/a",
    "created_at": "Tue Dec 31 19:26:16 +0000 2019",
    "lang": "en",
    "entities": {"urls": [{"url": "https://t.co/a", "expanded_url": "https://example.com/stories/1"}]},
}
QUIET_ID = 1212092628029698048


def tweet(tweet_id=QUIET_ID, **changes):
    """Return a Tweet of an archive; `changes` replace some of its fields, None removes one."""
    whole = QUIET | {"id_str": str(tweet_id)} | changes
    return {name: value for name, value in whole.items() if value is not None}


def script(name, items):
    """Return the text of a file of an archive."""
    return f"window.YTD.{name} = {json.dumps(items, indent=2)}"


def account(handle="harborbooks", user_id="1"):
    """Return data/account.js."""
    return script("account.part0", [{"account": {"username": handle, "accountId": user_id}}])


def archive(path, *tweets, handle="harborbooks", user_id="1", **files):
    """Write an archive; `files` are further ones, or others instead, by name with `__` for each slash."""
    whole = {
        "data/account.js": account(handle, user_id),
        "data/tweets.js": script("tweets.part0", [{"tweet": each} for each in tweets]),
    } | {name.replace("__", "/"): text for name, text in files.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for name, text in whole.items():
            if text is not None:
                written.writestr(name, text)
    return path
