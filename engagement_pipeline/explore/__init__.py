"""The explorer: a web app on this machine over the views of a lake.

    choices     what the lake can be asked for: handles, days, time zones
    view        what is shown, as a URL says it
    figures     the numbers of a view, from the marts by SQL alone
    charts      the charts of these numbers, each with its words
    cell        the answer to a query that somebody typed
    page        the page
    guard       who may ask, and what a browser may do with an answer
    app         the routes
    server      the port, and the end by Ctrl-C

In: a lake. Out: pages on 127.0.0.1. Nothing here changes a lake.
May import: core, lake, query, charts. It needs the extra `explore`.
"""
