"""The words that every room uses.

In: nothing. Out: errors, settings, endpoints, metrics, tables, the values that travel, the mask for secrets, the bounds
of an answer, and the names and limits that the orchestrator must share.
May import: nothing of this package.
"""
