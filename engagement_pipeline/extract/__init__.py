"""What to ask of whom, and landing what comes.

    roster ──> planner ──> prepare ──> puller <──> ownership

In: settings, roster, accounts. Out: a plan, then landed responses.
May import: core, sources, lake, transport, query.
"""
