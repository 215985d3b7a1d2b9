"""The Engagement API: /totals, /28hr and /historical.

request ──> the body that is sent          error_responses ──> what an answer other than 200 means
parse_fast · parse_reference ──> flatten ──> rows that add up
"""
