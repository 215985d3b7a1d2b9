"""The job forget: what the command `engagement forget` does, first without a change, and with a receipt to look at."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
from pydantic import Field

from assets.runs import one_line
from engagement_pipeline import forgetting
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.handles import parse_handle
from engagement_pipeline.core.orchestration import API_POOL
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.core.tweet_ids import parse_tweet_id
from engagement_pipeline.forgetting import Proof


class Forgetting(dg.Config):
    """Which Tweets are to go, and whether they go now. Dagster keeps what is written here; a file keeps IDs out."""

    tweets: list[str] = Field(default=[], description="IDs of Tweets, as text: the page rounds such numbers.")
    handle: str = Field(default="", description="All Tweets that the lake knows of this handle.")
    file: str = Field(default="", description="A file on Dagster's machine with an ID a line.")
    apply: bool = Field(default=False, description="Remove them for good; without it, the run only shows what is held.")


@dg.op(pool=API_POOL, out=dg.Out(dg.Nothing))
def forget_tweets(context: dg.OpExecutionContext, config: Forgetting) -> None:
    """Show what there is of the Tweets; with `apply`, remove it, and show the receipt."""
    with one_line():
        chosen = settings.load()
        tweets = _named(chosen, config)
        if not (config.apply and tweets):
            holding = forgetting.found(chosen, tweets)
            context.log.info("nothing is removed: a run with apply: true removes what there is")
            told = {"removed": False, "tweets": len(tweets), "forgotten before": holding.before}
            context.add_output_metadata(told | holding.held)
            return
        proof = forgetting.forget(chosen, tweets)
        if proof.problem:
            raise dg.Failure(proof.problem, metadata=_told(proof))
    context.add_output_metadata(_told(proof))


@dg.job(
    name="forget",
    description="Show what the lake holds of Tweets that were deleted, or of a handle; with `apply: true`, remove them "
    "from all of it for good. Nothing brings them back. This asks the API for nothing.",
)
def forget_job() -> None:
    """Run with the Tweets in the launchpad's config."""
    forget_tweets()


def _named(chosen: Settings, config: Forgetting) -> frozenset[int]:
    try:
        tweets = [parse_tweet_id(text.strip()) for text in config.tweets]
        handle = parse_handle(config.handle) if config.handle else None
    except ValueError as error:
        raise InputError(str(error)) from None
    return forgetting.named(chosen, tweets, handle=handle, file=Path(config.file) if config.file else None)


def _told(proof: Proof) -> Mapping[str, dg.MetadataValue | int | bool]:
    """Return the receipt in short: no ID, and the file that has all of it."""
    places = [
        dg.TableRecord({"place": place, "rewritten": rewritten, "removed": removed})
        for place, (rewritten, removed) in proof.places.items()
    ]
    columns = [dg.TableColumn("place", "string"), dg.TableColumn("rewritten", "int"), dg.TableColumn("removed", "int")]
    told: dict[str, dg.MetadataValue | int | bool] = {
        "removed": True,
        "tweets": proof.tweets,
        "files searched": proof.searched.files,
        "files that still hold one": len(proof.searched.holding),
        "files not read": len(proof.receipt.unread),
        "receipt": dg.MetadataValue.path(proof.receipt.path),
        "changes": dg.MetadataValue.table(places, schema=dg.TableSchema(columns)),
    }
    if proof.reports:
        commands = [f"    {report.command}" for report in proof.reports]
        told["reports to write anew"] = dg.MetadataValue.md("\n".join(commands))
    return told
