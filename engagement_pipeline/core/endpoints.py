"""The API's endpoints and their limits.

In: nothing. Out: their names as they stand in paths, and what one request may hold.
Source: the vendor's reference of the three endpoints.
"""

from __future__ import annotations

from datetime import date

HISTORICAL = "historical"
RECENT = "28hr"
TOTALS = "totals"
ENDPOINTS = (TOTALS, RECENT, HISTORICAL)
WITH_SERIES = (RECENT, HISTORICAL)
HISTORICAL_SINCE = date(2014, 9, 1)  # reference of /historical: the oldest start that can be asked for
# The vendor's limits of one request.
MAX_TWEETS = {TOTALS: 250, RECENT: 25, HISTORICAL: 25}
MAX_DAYS = 28  # of /historical; the other endpoints take no days
