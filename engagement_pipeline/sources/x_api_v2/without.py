"""A body without some Posts, as if they had not been asked for: it still passes the audit.

In: a body, and the Posts that are to go. Out: the body without their counts, and without what it says of them. Pure.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engagement_pipeline.sources.x_api_v2.problems import problems_of

if TYPE_CHECKING:
    from engagement_pipeline.core.erased import Erased


def without(body: bytes, erased: Erased) -> bytes:
    """Return the body without these Posts. Raises ValueError where it is not JSON."""
    try:
        root = json.loads(body)
        if isinstance(root, dict) and isinstance(root.get("errors"), list):
            root["errors"] = _errors(root, erased)
        return json.dumps(erased.without(root), separators=(",", ":")).encode()
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _errors(root: dict[str, Any], erased: Erased) -> list[Any]:
    """Return what is said of other Posts. An object that is theirs goes whole: without its ID, it would be of all."""
    named = zip(root["errors"], problems_of(root), strict=True)
    return [error for error, problem in named if problem.resource not in erased.texts]
