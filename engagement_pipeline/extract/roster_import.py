"""Take Tweets into the roster from a file that X gives to people: an account's archive, or Premium's export.

In: the file, the accounts, the setting `tweets`, and what is forgotten. Out: the file of the handle, as
roster_synced.py writes it.

A file is read to its end before anything is written. So a file that is refused changes nothing, and the same file twice
adds nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import InputError, refused_by_system
from engagement_pipeline.extract import account_archive, premium_export, roster_synced

if TYPE_CHECKING:
    from pathlib import Path

    from engagement_pipeline.core.posts import Post
    from engagement_pipeline.extract.account_archive import Owner
    from engagement_pipeline.extract.roster_synced import Merged
    from engagement_pipeline.lake.forgotten import Forgotten
    from engagement_pipeline.transport.accounts import Accounts


def from_file(path: Path, accounts: Accounts, *, pattern: str, gone: Forgotten) -> Merged:
    """Take in a file. Raises InputError if it cannot be read to its end, or is of an account that is not ours."""
    is_export = path.suffix.lower() == ".csv"
    try:
        handle, posts = _of_export(path, accounts) if is_export else _of_archive(path, accounts)
    except OSError as error:
        raise InputError(refused_by_system(error)) from None
    found_in = roster_synced.EXPORT if is_export else roster_synced.ARCHIVE
    return roster_synced.merge(pattern, handle, posts, found_in=found_in, gone=gone)


def _of_archive(path: Path, accounts: Accounts) -> tuple[str, list[Post]]:
    """Return whose archive it is, and its Tweets."""
    with account_archive.opened(path) as archive:
        return _ours(path, archive.owner(), accounts), [*archive.posts()]


def _of_export(path: Path, accounts: Accounts) -> tuple[str, list[Post]]:
    """Return whose export it is, and its Tweets; those of other accounts in it are reposts."""
    found = premium_export.posts(path)
    ours = sorted(found.keys() & accounts.by_handle.keys())
    if len(ours) != 1:
        those = ", ".join(ours or sorted(found)) or "nobody"
        told = f"holds Tweets of {those}, of whom {'several are' if ours else 'none is'} in the accounts file"
        cure = "export one account at a time" if ours else "engagement authorize HANDLE adds one"
        raise InputError(f"{path} {told}: nothing is imported; {cure}")
    return ours[0], found[ours[0]]


def _ours(path: Path, owner: Owner, accounts: Accounts) -> str:
    """Return the handle of the accounts file that an archive belongs to, perhaps under its former name."""
    users = {handle: account.user_id for handle, account in accounts.by_handle.items()}
    same = next((handle for handle, user in users.items() if user == owner.user_id), "")
    if same:
        return same
    if owner.handle not in users:
        known = ", ".join(sorted(users)) or "none"
        raise InputError(
            f"{path} is the archive of {owner.handle}, which is not in the accounts file (it has: {known}): nothing is "
            f"imported; engagement authorize {owner.handle} adds it"
        )
    if users[owner.handle]:
        raise InputError(
            f"{path} is the archive of user id {owner.user_id}, but the tokens of {owner.handle} are of user id "
            f"{users[owner.handle]}: another account had the name; nothing is imported"
        )
    return owner.handle
