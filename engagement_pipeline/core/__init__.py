"""The words that every room uses.

In: nothing. Out: errors, settings, endpoints, metrics, tables, the values that travel and the mask for secrets. Also
the bounds of an answer, the way to its host, and the names and limits that the orchestrator must share.
May import: nothing of this package.
"""
