"""Media keys of X API v2, such as 7_1890000000000000001: the kind of the media, and its number.

In: texts. Out: the numbers in them. Pure. The number tells media apart, and holds the time of its upload as the ID of a
Tweet holds that of its posting. So it stands where the ID of a Tweet does.
"""

from __future__ import annotations

import re

KEY = re.compile(r"\b([0-9]{1,3})_([0-9]{1,19})\b", re.ASCII)
PHOTO = "3"  # the kind of a picture, which nobody plays; 7 and 13 are videos, 16 is an animated GIF
LAST = 2**63  # no number is as large


def number_of(key: str) -> int | None:
    """Return the number in a media key, None for what is none."""
    found = KEY.fullmatch(key)
    number = int(found[2]) if found else 0
    return number if 0 < number < LAST else None


def numbers_in(text: str) -> dict[int, str]:
    """Return the media keys in a text by their numbers; whatever else it says is left out."""
    found = ((number_of(match[0]), match[0]) for match in KEY.finditer(text))
    return {number: key for number, key in found if number}


def is_photo(key: str) -> bool:
    """Tell whether a media key is that of a picture."""
    return key.partition("_")[0] == PHOTO
