"""A handle's month on one page, to be mailed or printed.

    figures     the numbers, from the marts by SQL alone
    page        the page, with charts of them
    files       the page in a file; and the files of a month, and their mails

In: a lake, a handle and a UTC month. Out: one HTML file, which asks no other place for anything.
May import: core, lake, query, observe, charts. The page needs the extra `report`.
"""
