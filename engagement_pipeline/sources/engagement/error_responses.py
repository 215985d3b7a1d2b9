"""An answer other than 200 -> the error that says what it means and whether a retry can help.

In: a whole Answer, and the account that asked. Out: one error of errors.py. The vendor's documents say what each status
means. The body holds no known secret any more. A server may repeat a header, so whatever looks like one is masked here.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson

from engagement_pipeline.core.errors import AccountError, ApiError, RefusedError, UnavailableError
from engagement_pipeline.core.redaction import masked, shown
from engagement_pipeline.sources import skew, windows

if TYPE_CHECKING:
    from datetime import datetime

    from engagement_pipeline.core.model import Answer

TWEETS_REFUSED = re.compile(r"access tweets|Tweet ID\(s\) are unavailable", re.IGNORECASE)
KEYS_REFUSED = re.compile(r"signature|consumer", re.IGNORECASE)  # in a 401: more than the tokens may be wrong
AUTHOR_ID = re.compile(r"author id \d+", re.IGNORECASE)
TWEET_ID = re.compile(r"(?<!\d)\d{1,19}(?!\d)", re.ASCII)  # 64 bits need no more digits


def error_of(answer: Answer, *, handle: str, asked_at: datetime) -> ApiError:
    """Translate any status but 200 into the error that says whether a retry can help.

    Nothing in its texts looks like a secret.
    """
    status, url = answer.status, answer.url
    texts = _texts(answer)
    said = shown("; ".join(texts)) or "nothing"
    who = f"account {handle}" if handle else "the app's bearer token"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        message = f"{url} answered 429, the contracted rate is used up: lower requests_per_minute."
        return UnavailableError(message, account=handle, status=status, texts=texts)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"{url} answered {status} ({said}): the vendor's side, try again later."
        return UnavailableError(message, account=handle, status=status, texts=texts)
    about_tweets = status >= HTTPStatus.BAD_REQUEST and any(TWEETS_REFUSED.search(text) for text in texts)
    if status == HTTPStatus.UNAUTHORIZED or (status == HTTPStatus.FORBIDDEN and not about_tweets):
        message = f"{who}: the API answered {status} ({said}): {_remedy(answer, handle, said, asked_at)}"
        return AccountError(message, account=handle, status=status, texts=texts)
    is_of_window = status == HTTPStatus.BAD_REQUEST and not about_tweets
    window = windows.refused_window(said, asked_at) if is_of_window else windows.RefusedWindow()
    return RefusedError(
        f"{who}: {url} answered {status} ({said}){'' if about_tweets else window.hint or _hint(answer, said)}",
        account=handle,
        status=status,
        texts=texts,
        about_tweets=about_tweets,
        forbidden=status == HTTPStatus.FORBIDDEN,
        tweet_ids=_named_tweets(texts),
        body=answer.body,
        asked_at=asked_at,
        longest_days=window.longest_days,
        oldest=window.oldest,
    )


def _hint(answer: Answer, said: str) -> str:
    """Return what to make of an answer that is the same for any account and any Tweet."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return f"{answer.leads}: is api_url right, or a proxy in the way?"
    if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return ": is api_url right?"
    if windows.TOO_OLD.search(said):
        return ": if the contract limits how far back /historical goes, set history_days"
    return ": the API does not accept this request, so asking again cannot help"


def _remedy(answer: Answer, handle: str, said: str, asked_at: datetime) -> str:
    """Return what to do about an account that the API does not let in."""
    if answer.status == HTTPStatus.FORBIDDEN and "access metrics" in said.lower():
        return "leave these types out of the setting types"
    if answer.status == HTTPStatus.FORBIDDEN and "application" in said.lower():
        return "have the vendor approve the app for the Engagement API"
    if not handle:
        return "check bearer_token or the consumer key in the accounts file"
    if wrong_clock := skew.remedy(answer, asked_at):
        return wrong_clock
    if KEYS_REFUSED.search(said):
        keys = "check consumer_key, consumer_secret and its tokens in the accounts file"
        return f"{keys}; engagement authorize {handle} gets new tokens"
    return f"check its tokens in the accounts file, or get new ones with engagement authorize {handle}"


def _texts(answer: Answer) -> list[str]:
    """Return the masked texts of an error body: texts, objects with a message, or whatever a proxy wrote."""
    try:
        errors = orjson.loads(answer.body)["errors"]
        items = errors if isinstance(errors, list) else [errors]
        return [masked(str(item.get("message", item) if isinstance(item, dict) else item)) for item in items]
    except (ValueError, TypeError, KeyError, RecursionError):  # RecursionError: a message that is nested too deep
        text = answer.text.strip()
        return [masked(text)] if text else []


def _named_tweets(texts: list[str]) -> tuple[int, ...]:
    """Return the Tweet IDs that a refusal names, in either of the documented spellings."""
    named = (text for text in texts if "access tweets" in text.lower())
    return tuple(int(number) for text in named for number in TWEET_ID.findall(AUTHOR_ID.sub("", text)))
