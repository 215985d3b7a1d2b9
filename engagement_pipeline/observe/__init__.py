"""Is it right? Checks and reports of published days, and messages to a person.

In: a lake. Out: verdicts, reports, pictures, messages.
May import: core, lake, query.
"""
