"""Commands that carry events between programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file of events, of dfrnet or of a coder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    come: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Format of IN: csv, json, elan, boris, datavyu, bids or textgrid.",
            show_default="as seen in the file",
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="Format of OUT, the same names.", show_default="by its ending")
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second, for sheets that count in frames.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace OUT, and what belongs to it, if it is there.")
    ] = False,
) -> None:
    """Carry events from one program's file to another's, and say what of them the format cannot hold.

    Example: dfrnet convert talk.eaf talk_events.tsv
    """
    from dfrnet.exchange.formats import check_target, format_of, losses_of, meant_by, read

    name = to or meant_by(out)
    written = format_of(name)
    check_target(source, out, name, replace=force)
    recording = read(source, come, fps)
    written.write(recording, out)
    for what in recording.record.get("not_read", []):
        typer.echo(f"note: not read: {what}", err=True)
    typer.echo(f"{out}: {len(recording.events)} events, {len(recording.intervals)} intervals not assessable")
    if lost := losses_of(recording, name):
        typer.echo(f"note: {'; '.join(lost)}", err=True)
