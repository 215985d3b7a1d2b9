"""What can be the ID of a Tweet: a whole number above zero that a signed number of 64 bits holds."""

LARGEST = 2**63 - 1
DIGITS = len(str(LARGEST))


def is_tweet_id(number: int) -> bool:
    """Tell whether a number can be the ID of a Tweet."""
    return 0 < number <= LARGEST


def parse_tweet_id(text: str) -> int:
    """Read the digits of an ID; raise ValueError for any other text, however long it is."""
    if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS and is_tweet_id(int(text))):
        raise ValueError(f"{text[: DIGITS + 1]!r} is no Tweet's ID")
    return int(text)
