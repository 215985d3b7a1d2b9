"""The words that every room uses.

In: nothing. Out: errors, settings, endpoints, metrics, tables, the values that travel, the mask for secrets, and the
bounds of an answer.
May import: nothing of this package.
"""
