"""Checks and reports of published days, and alerts to a person.

In: a lake. Out: verdicts, reports, charts, messages.
May import: core, lake, query.
"""
