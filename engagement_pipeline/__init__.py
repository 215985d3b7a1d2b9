"""The Engagement API as a lake that answers SQL.

Data flows one way, and a room imports only from the rooms below it, which stand to its left here:

    core -> sources · lake -> transport · query · publish -> extract · observe -> pipeline · frames -> cli,
        and assets/ beside this package

`emulator` imports none of these: it is reached by its URL, like the real API.
"""
