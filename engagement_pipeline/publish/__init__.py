"""Landed responses become the tables.

    newest ──> merge ──> day_file ──> publisher        rebuild: the same from raw, with no request
                          coverage · revisions · daily · snapshots        retention: raw that has served

In: pulls whose responses have landed. Out: the files of the tables, replaced together.
May import: core, sources, lake.
"""
