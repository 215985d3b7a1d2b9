"""Landed responses become the tables.

    newest ──> pending ──> hourly (day_worker · merge · day_file) ─> daily (day_sums) ─> publisher: renamed at once
                           snapshots                   revisions     coverage

    workers: processes for day_worker, coverage and rebuild, where the rows are worth them

    rebuild: the same from raw, with no request        retention: raw that has served
    erasure: Tweets gone from all of it (erasure_raw · erasure_tables · erasure_reports), by themselves (erasure_due);
    erasure_search; receipts

In: pulls whose responses have landed. Out: the files of the tables, replaced together.
May import: core, sources, lake.
"""
