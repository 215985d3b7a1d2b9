"""How Dagster's UI launches a backfill."""

LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
    launchPartitionBackfill(backfillParams: $params) {
        __typename
        ... on PythonError { message }
        ... on LaunchBackfillSuccess { backfillId }
    }
}
"""
