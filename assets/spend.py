"""Tell a person once a month when a limit of the month is near, by the settings alert_webhook and alert_mail."""

import json

import dagster as dg

from assets.runs import one_line
from engagement_pipeline.core import settings
from engagement_pipeline.observe import alert, spending
from engagement_pipeline.transport import accounts

HOUR = 3600  # seconds


@dg.sensor(
    name="spend_alert",
    minimum_interval_seconds=HOUR,
    default_status=dg.DefaultSensorStatus.RUNNING,  # the settings are the switch
    description="Tells a person when 80 % of a limit of the month are used, once a month for each limit.",
)
@one_line()
def spend_alert(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Send what is new. If a message is refused, this raises, and the next look sends it."""
    chosen = settings.load()
    day = chosen.current_time().date()
    month = f"{day:%Y-%m}"
    told = json.loads(context.cursor) if context.cursor else {}
    near = spending.nearing(chosen, day=day) if alert.is_wanted(chosen) else {}
    new = {setting: line for setting, line in near.items() if told.get(setting) != month}
    if not new:
        return dg.SensorResult(skip_reason="no limit of the month is near that was not told")
    accounts.remember(chosen.accounts)  # this process has asked for nothing, so it knows no secret yet
    alert.send(chosen, "\n".join(f"engagement-pipeline: {line}" for line in new.values()))
    return dg.SensorResult(skip_reason=f"told of {', '.join(new)}", cursor=json.dumps(told | dict.fromkeys(new, month)))
