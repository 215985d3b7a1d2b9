"""Alerts: what the message says, that it arrives at a real receiver, and that one that fails is let go."""

import email
import email.policy
import socket
from dataclasses import replace

import pytest
import receivers
import trickles
from proxy import proxy

from engagement_pipeline.core.errors import AlertError
from engagement_pipeline.core.redaction import register
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.observe import alert

FAILED = alert.FailedRun(
    run_id="1b2c",
    job="daily",
    assets=("responses",),
    partitions="2026-01-04 to 2026-01-31",
    error="harborbooks is not let in: <Access token not found> & more",
)
TEXT = """\
engagement-pipeline: a run of daily failed
asset: responses
partitions: 2026-01-04 to 2026-01-31
error: harborbooks is not let in: <Access token not found> & more
run: https://dagster.example.com/runs/1b2c"""


@pytest.fixture
def pauses():
    return []


def hook(receiver):
    return f"http://127.0.0.1:{receiver.port}/services/s3cret"


def refusal(chosen, pauses):
    with pytest.raises(AlertError) as caught:
        alert.send(chosen, TEXT, sleep=pauses.append)
    message = str(caught.value)
    assert "\n" not in message
    assert "s3cret" not in message
    return message


def test_the_message_tells_job_asset_partitions_error_and_link():
    assert alert.message(FAILED, dagster_url="https://dagster.example.com") == TEXT


def test_the_link_has_no_login_since_others_read_it():
    assert alert.message(FAILED, dagster_url="https://ann:pa55@dagster.example.com") == TEXT


def test_a_run_without_partitions_that_died_has_neither_line():
    died = alert.FailedRun(run_id="1b2c", job="lifetime", assets=(), partitions="", error="the machine died")
    assert alert.message(died, dagster_url="http://127.0.0.1:3000").splitlines()[1:] == [
        "error: the machine died",
        "run: http://127.0.0.1:3000/runs/1b2c",
    ]


def test_a_run_that_dagster_is_to_try_again_says_so_before_the_link():
    again = replace(FAILED, again=True)
    assert alert.message(again, dagster_url="https://dagster.example.com").splitlines()[4:] == [
        "next: Dagster should try the run again by itself: check that it does",
        "run: https://dagster.example.com/runs/1b2c",
    ]


def test_a_long_error_is_cut_and_the_link_stays():
    long = alert.FailedRun(run_id="1b2c", job="daily", assets=(), partitions="", error="x" * 5000)
    text = alert.message(long, dagster_url="http://127.0.0.1:3000")
    assert text.endswith("x…\nrun: http://127.0.0.1:3000/runs/1b2c")
    assert len(text) < 1200


def test_a_webhook_gets_the_text_in_slacks_format_once(pauses):
    with receivers.webhook() as receiver:
        alert.send(Settings(alert_webhook=hook(receiver)), TEXT, sleep=pauses.append)
    escaped = TEXT.replace("<Access token not found> & more", "&lt;Access token not found&gt; &amp; more")
    assert receiver.got == [{"text": escaped}]
    assert pauses == []


def test_a_mail_has_the_first_line_as_its_subject_and_all_in_its_body(pauses):
    with receivers.relay() as receiver:
        chosen = Settings(alert_mail="team@example.com", alert_smtp=f"127.0.0.1:{receiver.port}")
        alert.send(chosen, TEXT, sleep=pauses.append)
    (mail,) = (email.message_from_string(text, policy=email.policy.default) for text in receiver.got)
    assert mail["Subject"] == TEXT.splitlines()[0]
    assert mail["To"] == mail["From"] == "team@example.com"
    assert mail.get_content().splitlines() == TEXT.splitlines()


@pytest.mark.parametrize("status", [404, 500, 301, 0])
def test_a_webhook_that_fails_gets_three_tries(pauses, status, caplog):
    with receivers.webhook(status) as receiver:
        told = refusal(Settings(alert_webhook=hook(receiver)), pauses)
    assert told.startswith("the webhook at 127.0.0.1 ")
    assert (f"answered {status}" in told) == bool(status)
    assert (receiver.asked, len(pauses)) == (3, 2)
    assert "s3cret" not in caplog.text


def test_a_relay_that_refuses_the_recipient_is_named_with_its_word(pauses):
    with receivers.relay(550) as receiver:
        relay = f"127.0.0.1:{receiver.port}"
        told = refusal(Settings(alert_mail="team@example.com", alert_smtp=relay), pauses)
    assert told.startswith(f"the mail relay {relay} did not take the mail (")
    assert "550" in told
    assert receiver.asked == 3


def test_a_receiver_that_never_answers_is_given_up(pauses, monkeypatch):
    monkeypatch.setattr(alert, "TIMEOUT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        chosen = Settings(alert_webhook=f"http://{host}/s3cret", alert_mail="team@example.com", alert_smtp=host)
        assert "(no answer in time)" in refusal(chosen, pauses)
    assert len(pauses) == 4


def test_a_webhook_that_draws_out_its_headers_is_given_up(pauses, monkeypatch):
    monkeypatch.setattr(alert, "TIMEOUT_SECONDS", 0.2)
    with trickles.server(b"HTTP/1.1 200 OK\r\n", b"x", pause=0.02) as url:
        assert "cannot be reached (no answer in time)" in refusal(Settings(alert_webhook=f"{url}/s3cret"), pauses)


def test_a_relay_that_draws_out_its_answer_is_given_up(pauses, monkeypatch):
    monkeypatch.setattr(alert, "TIMEOUT_SECONDS", 0.2)
    with trickles.server(b"220-x\r\n", b"220-x\r\n", pause=0.02, greets=True) as url:
        relay = url.removeprefix("http://")
        told = refusal(Settings(alert_mail="team@example.com", alert_smtp=relay), pauses)
    assert told.startswith(f"the mail relay {relay} did not take the mail (")


def test_a_webhook_that_has_taken_the_message_may_draw_out_the_rest(pauses):
    with trickles.server(b"HTTP/1.1 200 OK\r\n\r\n", b" ", pause=0.02) as url:
        alert.send(Settings(alert_webhook=url), TEXT, sleep=pauses.append)
    assert pauses == []


def test_a_secret_that_the_run_told_is_in_no_message(pauses):
    register("ASecretThatTheRunTold")
    failed = replace(FAILED, error="Invalid header value b'Bearer ASecretThatTheRunTold\\n'")
    told = alert.message(failed, dagster_url="https://dagster.example.com")
    assert r"error: Invalid header value b'Bearer …\n'" in told
    with receivers.webhook() as receiver:
        alert.send(Settings(alert_webhook=hook(receiver)), "told: ASecretThatTheRunTold", sleep=pauses.append)
    assert receiver.got == [{"text": "told: …"}]


def test_one_channel_that_fails_does_not_keep_the_other_from_its_message(pauses):
    with receivers.webhook(500) as broken, receivers.relay() as receiver:
        chosen = Settings(
            alert_webhook=hook(broken), alert_mail="team@example.com", alert_smtp=f"127.0.0.1:{receiver.port}"
        )
        assert "mail" not in refusal(chosen, pauses)
    assert len(receiver.got) == 1


def test_certificates_that_are_not_there_do_not_keep_the_other_from_its_message(pauses, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    with receivers.relay() as receiver:
        relay = f"127.0.0.1:{receiver.port}"
        refusal(
            Settings(alert_webhook="https://127.0.0.1:1/s3cret", alert_mail="team@example.com", alert_smtp=relay),
            pauses,
        )
    assert len(receiver.got) == 1


def test_a_proxy_before_a_webhook_is_named_and_neither_its_password_nor_the_address_is(pauses, monkeypatch):
    with proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as company:
        monkeypatch.setenv("https_proxy", company.url.replace("//", "//ann:pa55word@"))
        told = refusal(Settings(alert_webhook="https://hooks.example.com/s3cret"), pauses)
    assert told.startswith(f"the webhook at hooks.example.com cannot be reached (the proxy {company.url} wants a login")
    assert "pa55word" not in told


def test_all_tries_of_both_channels_end_within_the_minute_of_a_sensor():
    channel = alert.TRIES * alert.TIMEOUT_SECONDS + (alert.TRIES - 1) * alert.PAUSE_SECONDS
    assert 2 * channel < 60
