"""The Engagement API as a lake that answers SQL.

Data flows one way, and a room imports only from the rooms to its left:

    errors · metrics · settings · accounts · roster -> plan -> authorize · pacing · turn · refusal · client -> raw
        -> plain -> scan -> flatten -> pull -> lake -> set_aside · request_log -> answers · day_rows -> revisions
        -> publish -> rebuild · prune · catalog -> check · pipeline -> terminal -> demo · cli,
        and assets/ beside this package

`emulator` imports none of these: it is reached by its URL, like the real API.
"""
