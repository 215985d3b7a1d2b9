"""A chart as a picture that a page holds.

In: a specification of Vega-Lite. Out: SVG, without a script, an address or a name that a second picture could bear too.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import vl_convert

if TYPE_CHECKING:
    from engagement_pipeline.charts.draw import Spec

VEGA_LITE = "6.4"  # which Altair 6 writes


def svg(spec: Spec, *, label: str, kind: str) -> str:
    """Draw a chart as SVG for a page: `label` is read aloud instead of it, and `kind` is its class in CSS."""
    drawn = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE, allowed_base_urls=[])
    size = drawn[drawn.index(" width=") : drawn.index(">")]
    body = drawn[drawn.index(">") + 1 :]
    return f'<svg class="{escape(kind)}" role="img" aria-label="{escape(label)}"{size}>{body}'
