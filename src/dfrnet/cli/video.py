"""Commands that meet videos: analyze recordings, watch a camera, measure the speed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dfrnet.cli.options import Jobs, cores, progress_bars
from dfrnet.types import UserError

app = typer.Typer()

NOTICE = (
    "note: candidates for a person to confirm, not what somebody feels. Inferring emotions of people at work or in "
    "education is prohibited in the European Union (AI Act, Article 5(1)(f)); --movement-only loads no emotion model"
)

Model = Annotated[str, typer.Option(help="A model that comes with dfrnet (see dfrnet models) or a file.")]
MovementOnly = Annotated[bool, typer.Option("--movement-only", help="Movements only: no model of emotions is loaded.")]
Face = Annotated[str, typer.Option(help="Whose face: largest, all, or the number of a track.")]
Fps = Annotated[float | None, typer.Option(help="Frames a second of a folder of pictures.", min=1)]


@app.command()
def analyze(
    recordings: Annotated[list[Path], typer.Argument(metavar="VIDEO|FOLDER...", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the results, one folder in it for each recording.")],
    model: Model = "maps",
    movement_only: MovementOnly = False,
    face: Face = "largest",
    fps: Fps = None,
    start: Annotated[float, typer.Option(help="Begin at this second.", min=0)] = 0.0,
    end: Annotated[float | None, typer.Option(help="Stop at this second.")] = None,
    to: Annotated[
        list[str], typer.Option(help="Also elan, boris, datavyu, bids or textgrid; may be given again.")
    ] = [],  # noqa: B006 (typer copies it)
    overlay: Annotated[str, typer.Option(help="A video with the findings drawn in: none, plain or blurred.")] = "none",
    jobs: Jobs = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on: what is done already stays.")] = False,
    purpose: Annotated[str, typer.Option(help="What the analysis is for; kept in every record.")] = "",
) -> None:
    """Find brief movements of the face in recordings: candidates with times and scores, for a person to confirm.

    Everything stays on this machine. Exit status 1 when a recording could not be read; the others are done.

    Example: dfrnet analyze interview.mp4 --movement-only --to elan --out results
    """
    from dfrnet.exchange.results import Wanted, analyze_all, find_recordings

    wanted = Wanted("" if movement_only else model, face, fps, start, end, tuple(to), overlay, purpose)
    paths = find_recordings(recordings)
    if wanted.model:
        typer.echo(NOTICE, err=True)
    with progress_bars("recordings") as (progress,):
        jobs = min(cores(jobs), len(paths))
        summaries = analyze_all(paths, out, wanted, jobs=jobs, resume=resume, progress=progress)
    for one in summaries:
        if one.failed:
            typer.echo(f"dfrnet: {one.failed}", err=True)
            continue
        typer.echo(
            f"{one.folder}: {one.micro} micro and {one.macro} macro candidates in {one.seconds:.1f} s at {one.fps:.4g} "
            f"frames a second, {one.assessable:.0%} assessable"
        )
        for note in one.notes:
            typer.echo(f"  {note}")
    if any(one.failed for one in summaries):
        raise typer.Exit(1)


@app.command()
def live(
    source: Annotated[
        str, typer.Argument(metavar="[CAMERA|FILE]", help="A camera's number, or a file as if it were one.")
    ] = "0",
    model: Model = "maps",
    movement_only: MovementOnly = False,
    face: Face = "largest",
    websocket: Annotated[int, typer.Option(help="Also serve the events on this port of this machine; 0: do not.")] = 0,
    lsl: Annotated[bool, typer.Option("--lsl", help="Also send them as markers of the Lab Streaming Layer.")] = False,
) -> None:
    """Movements as they happen, one JSON object a line; newest frame first, none is stored.

    Tell the people in front of the camera. Ends with Ctrl-C, or with the file.

    Example: dfrnet live 0 --movement-only
    """
    from dfrnet import recognizer
    from dfrnet.exchange.streams import streams
    from dfrnet.video.live import live as watch

    if not movement_only:
        typer.echo(NOTICE, err=True)
    what: Any = int(source) if source.isdecimal() else Path(source)
    with streams(typer.echo, websocket=websocket, lsl=lsl) as (send_event, send_status):
        found = watch(what, None if movement_only else recognizer.load(model), face=face, status=send_status)
        for event in found:
            send_event(event)


@app.command()
def bench(
    video: Annotated[Path | None, typer.Argument(metavar="[VIDEO]", help="Default: a drawn face, 640x480.")] = None,
    seconds: Annotated[float, typer.Option(help="Length of the drawn recording.", min=1)] = 10.0,
    fps: Annotated[float, typer.Option(help="Its frames a second.", min=10)] = 200.0,
    model: Model = "maps",
    movement_only: MovementOnly = False,
    format: Annotated[str, typer.Option(help="text or json.")] = "text",  # noqa: A002
) -> None:
    """How fast this machine is, stage by stage: decode, track, quality, flow, spot, recognise.

    Example: dfrnet bench --seconds 5
    """
    from dfrnet.video.bench import bench as measure
    from dfrnet.video.bench import render

    if format not in {"text", "json"}:
        raise UserError(f"--format {format}: text or json")
    typer.echo(render(measure(video, "" if movement_only else model, seconds, fps), format), nl=False)
