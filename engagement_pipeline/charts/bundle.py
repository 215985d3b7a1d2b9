"""Vega-Lite for a browser, as one script from the installed packages: no other place is asked for it.

In: nothing. Out: JavaScript on standard output, which leaves `vegaEmbed` behind. It takes some seconds, in which the
library holds up all of its process. So it is a process of its own: `python -m engagement_pipeline.charts.bundle`.
"""

from __future__ import annotations

import sys
from importlib import metadata

import vl_convert

from engagement_pipeline.charts.svg import VEGA_LITE

VERSION = f"{metadata.version('vl-convert-python')}-{VEGA_LITE}"  # the script changes with it alone
SNIPPET = "window.vegaEmbed = vegaEmbed;"

if __name__ == "__main__":
    sys.stdout.write(vl_convert.javascript_bundle(SNIPPET, vl_version=VEGA_LITE))
