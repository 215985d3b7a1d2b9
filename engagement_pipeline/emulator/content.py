"""What the Tweets of the emulated world say and show, and the reposts on their authors' timelines.

In: a seed, a Tweet. Out: text, language, media, links, the Tweet that it answers or quotes. Like the counts, all is a
pure function of the seed. Reposts are no Tweets of the world: nobody counts them, and only a timeline shows them.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

from engagement_pipeline.emulator.chance import hash64, letters, share
from engagement_pipeline.emulator.counts import created_ms
from engagement_pipeline.emulator.world import AUTHORS, STRANGER, Handle, Tweet, post_times, tweets_of_day

MediaKind = Literal["photo", "video", "animated_gif"]
Reference = Literal["replied_to", "quoted", "reposted"]

KEY_PREFIXES: dict[MediaKind, int] = {"photo": 3, "video": 7, "animated_gif": 16}
EPOCH = date(1970, 1, 1)
LARGEST_ID = 2**63
UPLOADED_MS_BEFORE = 60_000  # a picture is there a minute at most before its Tweet
MOST_PHOTOS = 4
PHOTO_SHARE, GIF_SHARE = 0.45, 0.05
LINK_SHARE, HASHTAG_SHARE = 0.4, 0.3
REPLY_SHARE, QUOTE_SHARE, REPOST_SHARE = 0.15, 0.08, 0.3
TEXTS = (
    ("en", "A quiet morning, and the shelves are full again"),
    ("en", "What would you take along for the weekend?"),
    ("en", "Three things we learned this week, and one that we did not"),
    ("en", "New in: small, blue & made to last"),
    ("en", "Doors open at nine \u2013 come early \U0001f44b"),
    ("en", "Somebody asked how we choose. Here is how"),
    ("es", "\u00bfQu\u00e9 te llevar\u00edas para el fin de semana?"),
    ("de", "Fr\u00fch ge\u00f6ffnet, sp\u00e4t geschlossen: heute bis 22 Uhr"),
    ("fr", "Une petite s\u00e9rie, num\u00e9rot\u00e9e \u00e0 la main"),
    ("ja", "\u4eca\u65e5\u306e\u304a\u3059\u3059\u3081\u306f\u3053\u3061\u3089\u3067\u3059"),
)
HASHTAGS = ("weekend", "behindthescenes", "newin", "askus")
SITES = ("https://example.com/stories/{}", "https://shop.example.com/items/{}", "https://example.org/notes/{}")


@dataclass(frozen=True)
class Media:
    """A picture or a video of a Tweet; `key` is that of the API."""

    key: str
    kind: MediaKind


@dataclass(frozen=True)
class Content:
    """What a Tweet says and shows. `text` has the short links; `links` has each short link and where it leads.

    `reference` and `referenced` are the Tweet that this one answers, quotes or reposts, if it does.
    """

    text: str
    lang: str
    media: tuple[Media, ...]
    media_link: str
    links: tuple[tuple[str, str], ...]
    hashtags: tuple[str, ...]
    reference: Reference | None
    referenced: Tweet | None


@dataclass(frozen=True)
class Repost:
    """A Tweet of somebody else, shown again on a timeline under an ID of its own."""

    tweet: Tweet
    content: Content


@lru_cache(maxsize=16_384)
def content_of(seed: int, tweet: Tweet) -> Content:
    """Return what a Tweet of the world says and shows."""
    lang, text = TEXTS[hash64(seed, tweet.tweet_id, "text") % len(TEXTS)]
    media = _media(seed, tweet)
    reference, referenced = _reference(seed, tweet)
    parts = [text]
    if referenced is not None and reference == "replied_to":
        parts.insert(0, f"@{referenced.handle}")
    hashtags: tuple[str, ...] = ()
    if share(seed, tweet.tweet_id, "hashtag") < HASHTAG_SHARE:
        hashtags = (HASHTAGS[hash64(seed, tweet.tweet_id, "which") % len(HASHTAGS)],)
        parts.append(f"#{hashtags[0]}")
    links: tuple[tuple[str, str], ...] = ()
    if share(seed, tweet.tweet_id, "link") < LINK_SHARE:
        site = SITES[hash64(seed, tweet.tweet_id, "site") % len(SITES)]
        links = ((_short(seed, tweet, "link"), site.format(tweet.tweet_id % 10_000)),)
        parts.append(links[0][0])
    media_link = _short(seed, tweet, "media") if media else ""
    whole = " ".join([*parts, *filter(None, [media_link])])
    return Content(whole, lang, media, media_link, links, hashtags, reference, referenced)


@lru_cache(maxsize=16_384)
def reposts_of_day(seed: int, handle: Handle, day: date) -> tuple[Repost, ...]:
    """Return what a handle reposted on a UTC day: at most one Tweet of the stranger, of the day before."""
    shown = [tweet for tweet in tweets_of_day(seed, STRANGER, day - timedelta(days=1)) if tweet.state == "ok"]
    if not shown or share(seed, handle.name, day, "repost") >= REPOST_SHARE:
        return ()
    original = shown[-1]
    tweet_id, created = post_times(day, hash64(seed, handle.name, day, "repost id"))
    said = content_of(seed, original)
    text = f"RT @{original.handle}: {said.text}"
    content = Content(text, said.lang, (), "", said.links, said.hashtags, "reposted", original)
    return (Repost(Tweet(tweet_id, handle.name, handle.author_id, created, "ok", has_video=False), content),)


def tweet_of_media(seed: int, key: str) -> Tweet | None:
    """Return the Tweet that shows the media of that key, whenever it is posted; None if there is none."""
    media_id = int(key.partition("_")[2])
    if media_id >= LARGEST_ID:
        return None
    for uploaded_ms in (0, UPLOADED_MS_BEFORE):
        day = EPOCH + timedelta(milliseconds=created_ms(media_id) + uploaded_ms)
        for author in AUTHORS:
            for tweet in tweets_of_day(seed, author, day):
                if any(media.key == key for media in _media(seed, tweet)):
                    return tweet
    return None


def _media(seed: int, tweet: Tweet) -> tuple[Media, ...]:
    fate = share(seed, tweet.tweet_id, "media")
    kind: MediaKind = "video" if tweet.has_video else "photo" if fate < PHOTO_SHARE else "animated_gif"
    if not tweet.has_video and fate >= PHOTO_SHARE + GIF_SHARE:
        return ()
    number = 1 + hash64(seed, tweet.tweet_id, "photos") % MOST_PHOTOS if kind == "photo" else 1
    return tuple(Media(f"{KEY_PREFIXES[kind]}_{_media_id(seed, tweet, place)}", kind) for place in range(number))


def _media_id(seed: int, tweet: Tweet, place: int) -> int:
    before_ms = 1 + hash64(seed, tweet.tweet_id, "uploaded", place) % UPLOADED_MS_BEFORE
    return tweet.tweet_id - (before_ms << 22)


def _reference(seed: int, tweet: Tweet) -> tuple[Reference | None, Tweet | None]:
    """Return what a Tweet answers or quotes: one of the stranger, or of its own author (a thread)."""
    fate = share(seed, tweet.tweet_id, "reference")
    if fate >= REPLY_SHARE + QUOTE_SHARE:
        return None, None
    own = next(author for author in AUTHORS if author.name == tweet.handle)
    other = own if fate < REPLY_SHARE / 2 else STRANGER
    earlier = tweets_of_day(seed, other, tweet.created.date() - timedelta(days=1))
    if not earlier:
        return None, None
    return ("replied_to" if fate < REPLY_SHARE else "quoted"), earlier[-1]


def _short(seed: int, tweet: Tweet, what: str) -> str:
    return f"https://t.co/{letters(10, seed, tweet.tweet_id, what)}"
