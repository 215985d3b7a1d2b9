"""The Dagster code location; the only place that imports Dagster."""
