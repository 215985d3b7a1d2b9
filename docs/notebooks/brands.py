"""Three brands on the demo's lake, as a marimo notebook: docs/python.md says how to run it."""

import marimo

app = marimo.App()


@app.cell
def _():
    import os

    import altair as alt
    import marimo as mo

    import engagement_pipeline as ep

    return alt, ep, mo, os


@app.cell
def _(mo):
    mo.md("""
    # Three brands

    The lake is that of `make demo`, or the one in the variable `ENGAGEMENT_DATA`. Each table and column is explained by
    `lake.tables()`.
    """)


@app.cell
def _(ep, mo, os):
    lake = ep.open(os.environ.get("ENGAGEMENT_DATA") or mo.notebook_dir() / "../../data/demo")
    days = lake.read("handle_daily", first="2026-03-01", last="2026-03-31")
    days[["handle", "day", "impressions", "complete"]]
    return days, lake


@app.cell
def _(alt, days):
    chart = (
        alt.Chart(days[days["complete"]][["handle", "day", "impressions"]].astype({"day": "datetime64[ns]"}))
        .mark_line()
        .encode(x="day:T", y="impressions:Q", color="handle:N")
    )
    chart
    return (chart,)


@app.cell
def _(lake):
    weeks = lake.sql("""
        select handle, median(after_7_days) as impressions, count(after_7_days) as tweets
        from tweet_value
        where engagement_type = 'impressions'
        group by all order by handle
    """)
    weeks
    return (weeks,)


if __name__ == "__main__":
    app.run()
