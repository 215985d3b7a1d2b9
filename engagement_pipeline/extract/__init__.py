"""Plan the requests to send, send them, and land the responses.

    roster ──> planner ──> prepare ──> puller <──> ownership

In: settings, roster, accounts. Out: a plan, then landed responses.
May import: core, sources, lake, transport, query.
"""
