"""One request out, one response back: signed, within the rate, tried again.

In: a Request and the accounts. Out: a Response, or an error that says whether asking again can help.
May import: core, sources.
"""
