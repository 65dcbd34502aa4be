"""Commands that meet videos: analyze recordings, watch a camera, measure the speed."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dfrnet.cli.options import Jobs, cores, progress_bars
from dfrnet.types import UserError

if TYPE_CHECKING:
    from dfrnet.recognizer import Recognizer

app = typer.Typer()

WITHOUT_NUMBERS = str.maketrans("", "", "0123456789.")
"""Turns a caution into its kind, of which one is told."""

Model = Annotated[str, typer.Option(help="A model that comes with dfrnet (see dfrnet models) or a model file.")]
MovementOnly = Annotated[bool, typer.Option("--movement-only", help="Movements only: no model of emotions is loaded.")]
Face = Annotated[
    str, typer.Option(help="Whose face: largest, all, or a number, as column track of events.csv has it after all.")
]
Fps = Annotated[
    float | None,
    typer.Option(help="Frames a second of a folder of pictures; of a video file its own time stamps count.", min=1),
]


@app.command()
def analyze(
    recordings: Annotated[
        list[Path],
        typer.Argument(
            metavar="VIDEO|FOLDER...", help="Video files, folders of them, or folders of pictures.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the results, one folder in it for each recording.")],
    model: Model = "maps",
    movement_only: MovementOnly = False,
    face: Face = "largest",
    fps: Fps = None,
    start: Annotated[float, typer.Option(help="Begin at this second.", min=0)] = 0.0,
    end: Annotated[float | None, typer.Option(help="Stop at this second.", show_default="the recording's end")] = None,
    to: Annotated[
        list[str],
        typer.Option(
            help="Also elan, boris, datavyu, bids or textgrid, with commas or given again; CSV and JSON are always "
            "written."
        ),
    ] = [],  # noqa: B006 (typer copies it)
    overlay: Annotated[
        str,
        typer.Option(
            help="A video with the findings drawn in: none, plain or blurred. Blurred hides every face that is "
            "detected; one that is not stays sharp, so look before you pass it on."
        ),
    ] = "none",
    jobs: Jobs = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on: what is done already stays.")] = False,
    purpose: Annotated[str, typer.Option(help="What the analysis is for; kept in every record.")] = "",
) -> None:
    """Find brief movements of the face in recordings: candidates with times and scores, for a person to confirm.

    Everything stays on this machine. Exit status 1 when a recording could not be read; the others are done. What was
    interrupted goes on with --resume.

    Example: dfrnet analyze interview.mp4 --movement-only --to elan --out results
    """
    from dfrnet.exchange.results import Wanted, analyze_all, find_recordings

    formats = tuple(name.strip() for names in to for name in names.split(",") if name.strip())
    wanted = Wanted("" if movement_only else model, face, fps, start, end, formats, overlay, purpose)
    paths = find_recordings(recordings)
    load_model(wanted.model)
    with progress_bars("recordings", "seconds looked at", "seconds drawn") as (progress, looking, drawing):
        jobs = min(cores(jobs), len(paths))
        summaries = analyze_all(
            paths, out, wanted, jobs=jobs, resume=resume, progress=progress, looking=looking, drawing=drawing
        )
    for one in summaries:
        if one.failed:
            typer.echo(f"dfrnet: {one.failed}", err=True)
            continue
        typer.echo(
            f"{one.folder}: {one.found} in {one.seconds:.1f} s at {one.fps:.4g} frames a second, "
            f"{one.assessable:.0%} assessable"
        )
        for note in one.notes:
            typer.echo(f"  {note}")
    if any(one.failed for one in summaries):
        raise typer.Exit(1)


@app.command()
def live(
    source: Annotated[
        str, typer.Argument(metavar="CAMERA|FILE", help="A camera's number, or a file or folder as if it were one.")
    ] = "0",
    model: Model = "maps",
    movement_only: MovementOnly = False,
    face: Face = "largest",
    fps: Annotated[
        float | None,
        typer.Option(
            help="Asked of the camera; of a folder of pictures its frames a second; of a video file its own time "
            "stamps count.",
            min=1,
        ),
    ] = None,
    websocket: Annotated[
        int, typer.Option(help="Also serve the events on this port of this machine; 0: do not.", min=0, max=65535)
    ] = 0,
    lsl: Annotated[bool, typer.Option("--lsl", help="Also send them as markers of the Lab Streaming Layer.")] = False,
    purpose: Annotated[str, typer.Option(help="What it is for; said in the first line and in the audit.")] = "",
    audit: Annotated[
        Path | None,
        typer.Option(help="Add a line to this file at the end: when, what, what for, how many."),
    ] = None,
) -> None:
    """Movements as they happen, one JSON object a line; newest frame first, none is stored.

    Tell the people in front of the camera. Ends with Ctrl-C, or with the file.

    Example: dfrnet live 0 --movement-only --fps 120 --purpose "pilot" --audit audit.jsonl
    """
    from dfrnet.exchange.results import own_stamps
    from dfrnet.exchange.streams import audited, streams
    from dfrnet.video.live import Status
    from dfrnet.video.live import live as watch

    model = "" if movement_only else model
    if fps is not None and Path(source).is_file():
        typer.echo(f"note: {own_stamps(fps)}", err=True)
    known: set[str] = set()

    def told(status: Status) -> None:
        tally["seconds"] = round(status.time, 3)
        for caution in status.cautions:
            kind = caution.translate(WITHOUT_NUMBERS)
            if kind not in known:
                known.add(kind)
                typer.echo(f"note: {caution}", err=True)
        send_status(status)

    with suppress(KeyboardInterrupt, NobodyReadsError):
        loaded = load_model(model)
        with (
            streams(print_line, websocket=websocket, lsl=lsl, purpose=purpose) as (send_event, send_status),
            audited(audit, source=source, model=model or None, purpose=purpose or None) as tally,
            stopped_by_signals() as stop,
            closing(watch(source, loaded, fps=fps, face=face, status=told, stop=stop)) as found,
        ):
            for event in found:
                tally[event.kind] += 1
                send_event(event)


def load_model(name: str) -> Recognizer | None:
    """The model, and on standard error what its answers are not, and on what terms; None for no name."""
    from dfrnet import recognizer
    from dfrnet.video.analyze import NOTICE, USE

    if not name:
        return None
    loaded = recognizer.load(name)
    typer.echo(f"note: {USE} {NOTICE} --movement-only loads no emotion model.", err=True)
    typer.echo(f"note: model {name}: {loaded.terms}", err=True)
    return loaded


class NobodyReadsError(Exception):
    """Standard output was closed by the one who read it, as ``head`` does when it has enough."""


def print_line(line: str) -> None:
    """One line of UTF-8 on standard output, at once."""
    try:
        typer.echo(line.encode())
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EINVAL):  # the latter is what Windows says
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be flushed
        raise NobodyReadsError from None


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; the second time they interrupt."""
    stop = threading.Event()

    def ask(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@app.command()
def bench(
    video: Annotated[
        Path | None,
        typer.Argument(metavar="VIDEO", help="A recording to measure on.", show_default="a drawn face, 640x480"),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Length of the drawn recording.", min=1)] = 10.0,
    fps: Annotated[float, typer.Option(help="Its frames a second.", min=10)] = 200.0,
    model: Model = "maps",
    movement_only: MovementOnly = False,
    format: Annotated[str, typer.Option(help="text or json.")] = "text",  # noqa: A002
) -> None:
    """How fast this machine is, stage by stage: decode, track, flow, quality, spot, recognise.

    Example: dfrnet bench --seconds 5
    """
    from dfrnet.video.bench import bench as measure
    from dfrnet.video.bench import render

    if format not in {"text", "json"}:
        raise UserError(f"--format {format}: text or json")
    typer.echo(render(measure(video, "" if movement_only else model, seconds, fps), format), nl=False)
