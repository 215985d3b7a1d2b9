"""What the description of X API v2 says that a page of a timeline may hold, and the answer about an account.

In: nothing. Out: a Shape for each. A request names the fields that it wants, and no others are expected. Nobody looks
into what nobody reads: Posts that a page brings along, and the parts of a text other than its links.
"""

from __future__ import annotations

import re
from dataclasses import replace

from engagement_pipeline.core.shape import ANY, LIST, NULL, OBJECT, STRING, WHOLE, Shape
from engagement_pipeline.sources.x_api_v2.shape import OF_A_PROBLEM, PROBLEM, TEXT, WORDS

TEXTS = Shape((LIST, NULL), items=TEXT)
ANYTHING = Shape((LIST, NULL))
LINK = Shape(
    (OBJECT,),
    keys={
        **dict.fromkeys(("url", "expanded_url", "display_url", "unwound_url", "media_key"), TEXT),
        **dict.fromkeys(("title", "description", "start", "end", "status", "images"), ANY),
    },
)
ENTITIES = Shape(
    (OBJECT, NULL),
    keys={
        "urls": Shape((LIST, NULL), items=LINK),
        **dict.fromkeys(("annotations", "cashtags", "hashtags", "mentions"), ANY),
    },
)
NOTE = Shape((OBJECT, NULL), keys={"text": TEXT, "entities": ANY})
REFERENCES = Shape((LIST, NULL), items=Shape((OBJECT,), keys={"type": TEXT, "id": TEXT}))
POST = Shape(
    (OBJECT,),
    keys={
        **dict.fromkeys(("id", "text", "created_at", "lang"), TEXT),
        **dict.fromkeys(("edit_history_post_ids", "edit_history_tweet_ids"), TEXTS),
        **dict.fromkeys(("note_post", "note_tweet"), NOTE),
        **dict.fromkeys(("referenced_posts", "referenced_tweets"), REFERENCES),
        "entities": ENTITIES,
        "attachments": Shape(
            (OBJECT, NULL),
            keys={
                "media_keys": TEXTS,
                **dict.fromkeys(("poll_ids", "media_source_post_id", "media_source_tweet_id", "card_uri"), ANY),
            },
        ),
    },
)
MEDIA = Shape((OBJECT,), keys={"media_key": TEXT, "type": TEXT})
INCLUDES = Shape(
    (OBJECT, NULL),
    keys={
        "media": Shape((LIST, NULL), items=MEDIA),
        **dict.fromkeys(("posts", "tweets", "users", "places", "polls", "topics"), ANYTHING),
    },
)
META = Shape(
    (OBJECT,),
    keys={
        "result_count": Shape((WHOLE,)),
        **dict.fromkeys(("newest_id", "oldest_id", "next_token", "previous_token"), TEXT),
    },
)
# Which of its two spellings the API takes, a client learns from a refusal of the other.
SPELLING = r".*(?:\b(?:post|tweet)\.fields|\breferenced_(?:post|tweet)s)\b.*"
MESSAGE = Shape((STRING,), texts=re.compile(f"{WORDS.pattern}|{SPELLING}", WORDS.flags))
OF_AN_ERROR = {**OF_A_PROBLEM, "message": MESSAGE}
ERRORS = {**OF_AN_ERROR, "errors": Shape((LIST,), items=replace(PROBLEM, keys=OF_AN_ERROR))}
PAGE = Shape((OBJECT,), keys={"data": Shape((LIST, NULL), items=POST), "includes": INCLUDES, "meta": META, **ERRORS})
ACCOUNT = Shape(
    (OBJECT,), keys={"data": Shape((OBJECT,), keys=dict.fromkeys(("id", "name", "username"), TEXT)), **ERRORS}
)
