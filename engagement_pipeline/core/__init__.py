"""The words that every room uses.

In: nothing. Out: errors, settings, endpoints, metrics, tables, values that rooms exchange, and the mask for secrets.
May import: nothing of this package.
"""
