"""What the system refuses, as a person reads it, and what a failed pull says of itself."""

import errno
import os

import pytest

from engagement_pipeline.core.errors import (
    AccountError,
    OutageError,
    OverBudgetError,
    PullError,
    StoreError,
    UnavailableError,
    advice,
    refused_by_system,
)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EROFS, "Read-only file system; name a place that can be written, then"),
        (errno.EACCES, "Permission denied; get permission for it, then"),
        (errno.ENOTDIR, "Not a directory; correct that, then"),
    ],
)
def test_the_file_the_reason_and_the_remedy_are_told_without_a_number(number, remedy):
    told = refused_by_system(OSError(number, os.strerror(number), "/lake/x"))
    assert told == f"/lake/x cannot be used: {remedy} run the same again: what has landed is kept"


def test_a_store_says_by_itself_what_to_do():
    told = refused_by_system(StoreError(errno.EACCES, "the credentials have expired: renew them", "s3://b/x"))
    assert told.startswith(
        "s3://b/x cannot be used: the credentials have expired: renew them, then run the same again:"
    )


def test_an_error_with_words_of_its_own_keeps_them():
    assert refused_by_system(OSError("cannot listen: choose another port")) == "cannot listen: choose another port"


def test_an_outage_beside_a_month_that_is_used_up_does_not_end_by_itself():
    down, used_up = OutageError("down", account="ann"), OverBudgetError("0 of this month's 9 requests are left")
    assert PullError([down]).is_outage
    assert not PullError([down, used_up]).is_outage


@pytest.mark.parametrize(
    ("failures", "advice"),
    [
        ([OverBudgetError("used up")], "the same pull goes on then"),
        ([AccountError("no", account="ann")], "mend that first, then run the same pull again to resume it"),
        ([AccountError("no", account="ann"), OverBudgetError("used up")], "mend that first, then run the same pull ag"),
        ([AccountError("no", account="ann"), UnavailableError("down", account="bob")], "run the same pull again to re"),
    ],
)
def test_to_run_a_pull_again_is_advised_alone_only_where_that_may_help(failures, advice):
    told = str(PullError(failures))
    assert told.partition(" What has landed is kept: ")[2].startswith(advice)


def for_another(error, other):
    """Return an error that another is the cause of."""
    error.__cause__ = other
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "Make room, then run again"),
        (OSError(errno.EACCES, "Permission denied"), "Get permission for it, then run again"),
        (OSError(errno.ENOTEMPTY, "Directory not empty"), "Correct that, then run again"),
        (OSError("of a library"), "Correct that, then run again"),
        (StoreError(errno.ENOSPC, "the bucket is full: make room"), "Once that is done, run again"),
        (
            for_another(OSError(errno.ENOSPC, "the bucket is full: make room"), StoreError(errno.ENOSPC, "full")),
            "Once that is done, run again",
        ),
    ],
)
def test_what_to_do_is_said_once_by_the_store_or_by_us(error, words):
    assert advice(error, "run again") == words
