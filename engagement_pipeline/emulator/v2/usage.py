"""GET /2/usage/tweets: how many Posts the project has read, each counted once a UTC day.

Counts are text, as the vendor's sample has them. Ours: what the analytics answer counts too, since nobody says.
"""

from datetime import timedelta
from typing import Any

import orjson

from engagement_pipeline.emulator.v2 import query
from engagement_pipeline.emulator.v2.question import Question

DEFAULTS = ("cap_reset_day", "project_cap", "project_id", "project_usage")
FIELDS = (*DEFAULTS, "daily_client_app_usage", "daily_project_usage")
CAP_RESET_DAY = 7
MOST_DAYS = 90


def usage(question: Question) -> bytes:
    """Answer GET /2/usage/tweets. Raises Problem (400)."""
    params = query.given(question.pairs, ("days", "usage.fields"))
    days = query.whole(params, "days", least=1, most=MOST_DAYS, default=7)
    fields = query.fields(params, "usage.fields", legal=FIELDS) or DEFAULTS
    read = question.reads.by_day()
    today = question.world.now().date()
    daily = [
        {"date": f"{day}T00:00:00.000Z", "usage": str(read.get(f"{day}", 0))}
        for day in (today - timedelta(days=back) for back in range(days - 1, -1, -1))
    ]
    app_id = question.app_id
    whole: dict[str, Any] = {
        "cap_reset_day": CAP_RESET_DAY,
        "project_cap": str(question.dials.project_cap),
        "project_id": str(app_id * 1_000),
        "project_usage": str(question.dials.project_usage + sum(read.values())),
        "daily_project_usage": {"project_id": str(app_id * 1_000), "usage": daily},
        "daily_client_app_usage": [{"client_app_id": str(app_id), "usage": daily, "usage_result_count": days}],
    }
    return orjson.dumps({"data": {name: whole[name] for name in whole if name in fields}})
