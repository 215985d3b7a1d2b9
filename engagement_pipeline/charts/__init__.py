"""The charts of the reports and the explorer: tables in, Vega-Lite out. Each look at the data is drawn by one function.

    draw    a chart's specification, from rows, with Altair
    svg     that as a picture that a page holds, without a script
    bundle  what draws it in a browser, from the installed packages
    trust   which days can be trusted, for the calendars and their tables
    pages   the look of the pages around them, and how these write numbers

In: rows of the marts, as dictionaries. Out: charts, and pictures.
May import: core. It needs the extra `report` or `explore`.
"""
