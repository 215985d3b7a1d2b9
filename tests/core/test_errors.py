"""What the system refuses, as a person reads it, and what a failed pull says of itself."""

import errno
import os

import pytest

from engagement_pipeline.core.errors import OutageError, OverBudgetError, PullError, refused_by_system


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


def test_an_error_with_words_of_its_own_keeps_them():
    assert refused_by_system(OSError("cannot listen: choose another port")) == "cannot listen: choose another port"


def test_an_outage_beside_a_month_that_is_used_up_does_not_end_by_itself():
    down, used_up = OutageError("down", account="ann"), OverBudgetError("0 of this month's 9 requests are left")
    assert PullError([down]).is_outage
    assert not PullError([down, used_up]).is_outage
