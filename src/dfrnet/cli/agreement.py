"""The command that compares two codings of one recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dfrnet.types import Recording, UserError

app = typer.Typer()


@app.command()
def agreement(
    a: Annotated[Path, typer.Argument(metavar="A", help="The first coding, or the machine's.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="The second coding.", show_default=False)],
    iou: Annotated[
        float | None, typer.Option(help="Overlap from which two movements are the same.", show_default="0.5")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Instead: seconds within which onsets or apexes must lie.")
    ] = None,
    format: Annotated[str, typer.Option(help="text or json.")] = "text",  # noqa: A002
    fps: Annotated[float | None, typer.Option(help="Frames a second, for files that count in frames.")] = None,
) -> None:
    """Agreement of two coders, or of the machine (A) and a coder (B), on one recording.

    A and B: files as analyze writes them, or of ELAN, BORIS, Datavyu, BIDS or Praat.

    Example: dfrnet agreement out/interview/events.json interview.eaf --tolerance 0.1
    """
    from dfrnet.evaluation.agreement import agree, not_assessable, render_agreement
    from dfrnet.exchange import read

    if iou is not None and tolerance is not None:
        raise UserError("--iou and --tolerance are two rules; give one of them")
    first, second = (read(path, fps=fps) for path in (a, b))
    found = agree(
        first.events,
        second.events,
        max(first.duration, second.duration),
        iou=0.5 if iou is None else iou,
        tolerance=tolerance,
        blocked=[*not_assessable(first), *not_assessable(second)],
    )
    last = max([0.0, *(event.end for event in (*first.events, *second.events))])
    notes = [f"{path.name}: not read: {what}" for path, of in ((a, first), (b, second)) for what in _not_read(of)]
    for path in (a, b):
        if path.name == "events.csv" and path.with_suffix(".json").exists():
            notes.append(
                f"{path} does not say what was not assessable; {path.with_suffix('.json').name} beside it does."
            )
    if found.duration <= last:
        notes.append("Neither file says how long the recording is: the kappa of time ends with the last movement.")
    names = (a.name, b.name) if a.name != b.name else (str(a), str(b))
    typer.echo(render_agreement(found, format, *names, notes=notes), nl=False)


def _not_read(recording: Recording) -> list[str]:
    """What the file holds beside movements, in words."""
    said = recording.record.get("not_read", [])
    return [str(what) for what in said] if isinstance(said, list) else []
