"""The values of a query's answer in JSON's terms, exact: what JSON's readers would round is text.

In: values of SQL's types. Out: values that JSON has, and their text, without a character that commands a terminal.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any

from engagement_pipeline.cli.grid import SAFE_INTEGER, TWEET_IDS
from engagement_pipeline.core.redaction import UNPRINTABLE


def json_text(value: Any) -> str:  # noqa: ANN401 - what JSON has
    """Return a value as JSON."""
    text = json.dumps(value, ensure_ascii=False)
    return UNPRINTABLE.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


def as_json(value: Any, name: str = "") -> Any:  # noqa: ANN401 - a value of any SQL type
    """Return a value in JSON's terms: NaN becomes null, a decimal becomes a number, a time becomes ISO text."""
    if isinstance(value, dict):
        return {key: as_json(item, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item, name) for item in value]
    if isinstance(value, Decimal):  # DuckDB's sum of whole numbers has scale 0
        value = float(value) if value.as_tuple().exponent else int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if name.endswith(TWEET_IDS) or abs(value) > SAFE_INTEGER else value
    if value is None or isinstance(value, bool | str | float):
        return None if isinstance(value, float) and not isfinite(value) else value
    return value.isoformat() if isinstance(value, date) else str(value)
