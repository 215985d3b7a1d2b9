"""A month's reports as files and as mails: one a handle, whole, and told if they do not arrive."""

import email
import email.policy
from datetime import date

import pytest
import receivers

from engagement_pipeline.core.errors import AlertError, InputError, LakeError
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.lake import saved
from engagement_pipeline.report import files, page
from engagement_pipeline.report.figures import Month

JANUARY = Month(first=date(2026, 1, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("deep") / "new" / "reports"


@pytest.fixture(scope="module")
def written(trapped, folder):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(page, "_picture", lambda *_: "")  # they take a second to draw
        return files.write_all(trapped, JANUARY, folder=folder)


def mailed_to(receiver):
    return Settings(report_mail="team@example.com", alert_smtp=f"127.0.0.1:{receiver.port}")


def test_each_handle_gets_a_file_in_a_folder_that_is_made(written, folder):
    assert [report.path.name for report in written] == ["ann-2026-01.html", "bob-2026-01.html"]
    assert sorted(folder.iterdir()) == [report.path for report in written]
    assert [report.told for report in written] == ["12 of 31 days are complete", "28 of 31 days are complete"]


def test_the_lake_knows_where_each_is_and_takes_it_for_a_report(written, trapped):
    known = {report.path: report.handle for report in saved.load(trapped)}
    for report in written:
        assert known[str(report.path)] == report.figures.handle
        assert saved.MARK in report.path.read_bytes()


def test_somebody_who_may_only_read_the_lake_has_a_report_of_it_with_a_word(trapped, tmp_path, monkeypatch, caplog):
    def refused(*_):
        raise LakeError("saved.jsonl cannot be written: Permission denied")

    monkeypatch.setattr(page, "_picture", lambda *_: "")
    monkeypatch.setattr(saved, "note", refused)
    path = files.write(trapped, "bob", JANUARY, path=tmp_path / "mine.html").path
    assert path.exists()
    assert caplog.messages == [
        f"saved.jsonl cannot be written: Permission denied; engagement forget will not know of {path}"
    ]


def test_a_handle_that_nobody_follows_any_more_gets_none(trapped, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "FOLLOWED", files.FOLLOWED.replace("where followed", "where not followed"))
    assert files.write_all(trapped, JANUARY, folder=tmp_path) == []


def test_a_mail_a_handle_has_its_file_attached_as_it_is(written):
    with receivers.relay() as receiver:
        files.mail(mailed_to(receiver), written)
    mails = [email.message_from_string(text, policy=email.policy.default) for text in receiver.got]
    assert [mail["Subject"] for mail in mails] == [
        "@ann, January 2026: engagement report",
        "@bob, January 2026: engagement report",
    ]
    for mail, report in zip(mails, written, strict=True):
        assert mail["To"] == mail["From"] == "team@example.com"
        assert mail.get_body().get_content().startswith(f"{report.told}. ")
        (attached,) = mail.iter_attachments()
        assert (attached.get_content_type(), attached.get_filename()) == ("text/html", report.path.name)
        assert attached.get_payload(decode=True) == report.path.read_bytes()


def test_what_is_not_taken_is_told_in_one_line_with_where_the_files_are(written, folder):
    with receivers.relay(550) as receiver, pytest.raises(AlertError) as caught:
        files.mail(mailed_to(receiver), written, sleep=lambda _: None)
    told = str(caught.value)
    assert told.startswith(f"2 of 2 reports were not mailed: the mail relay 127.0.0.1:{receiver.port} did not take")
    assert told.endswith(f"check alert_smtp and report_mail; the files are in {folder}")


def test_without_an_address_nothing_is_mailed(written):
    with pytest.raises(InputError, match=r"^nobody to mail the reports to: set report_mail"):
        files.mail(Settings(), written)
