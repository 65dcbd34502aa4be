"""Commands that train, test and score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dfrnet.cli.options import (
    CACHE,
    TABLE_FORMATS,
    Cache,
    Classes,
    Data,
    Engine,
    Errata,
    Jobs,
    NamesMethods,
    Preset,
    Seed,
    Set,
    changes_of,
    cores,
    find_method,
    load,
    progress_bars,
    width,
)
from dfrnet.types import UserError

if TYPE_CHECKING:
    from dfrnet.evaluation.records import Run

app = typer.Typer()


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/demo"),
    seed: Seed = 0,
    jobs: Jobs = 0,
) -> None:
    """Run the main job on drawn faces: no data needed, under two minutes on two cores.

    Example: dfrnet demo
    """
    from dfrnet.evaluation.demo import demo as run_demo

    begun = (out / "run.json").exists()
    if not begun:
        typer.echo("Drawing faces, extracting optical flow, training DFR-Net with one subject left out at a time ...")
    with progress_bars("folds") as (progress,):
        telling = _telling(out, progress) if begun else progress
        run = run_demo(out, seed=seed, jobs=cores(jobs), progress=telling)
    _finish(run)


def _telling(out: Path, progress: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """``progress`` that first says what there is already of a run that was begun before."""
    told = False

    def show(done: int, total: int) -> None:
        nonlocal told
        if not told and done == total:
            typer.echo(f"{out}: run before, and shown again; remove the folder or name another --out to run it anew")
        elif not told:
            typer.echo(f"{out}: begun before, with {done} of {total} folds done; going on with the others ...")
        told = True
        progress(done, total)

    return show


@app.command(cls=NamesMethods)
def evaluate(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="One of the methods below.", show_default=False)],
    data: Data,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.", show_default="runs/METHOD")] = None,
    protocol: Annotated[
        str, typer.Option(help="Who is left out: loso, sde, hde, kfold5 or kfold10; see docs/protocols.md.")
    ] = "loso",
    selection: Annotated[
        str,
        typer.Option(
            help="Which epoch counts: the last (fixed), one chosen on held-out training subjects (nested), or both "
            "and, labelled LEAKY, the one best on the test subject (audit); leak: an audit without nested."
        ),
    ] = "fixed",
    seeds: Annotated[int, typer.Option(help="How many seeds.", min=1)] = 1,
    seed: Seed = 0,
    jobs: Jobs = 0,
    preset: Preset = "",
    change: Set = [],  # noqa: B006 (typer copies it)
    audit_seeds: Annotated[
        int | None, typer.Option(help="Audit only so many of the seeds, the first.", show_default="all", min=1)
    ] = None,
    controls: Annotated[bool, typer.Option(help="Also run the constant and the SVM on flow.")] = True,
    classes: Classes = "three",
    errata: Errata = True,
    cache: Cache = CACHE,
    engine: Engine = "local",
) -> None:
    """Train and test METHOD with one subject left out at a time; the same command goes on where it was cut.

    Example: dfrnet evaluate svm_flow --data maps=../htnet --out runs/svm
    """
    from dfrnet.evaluation.run import evaluate as run_evaluation
    from dfrnet.evaluation.run import evaluate_controls
    from dfrnet.parallel import engine as on_engine

    chosen = find_method(method)
    settings = chosen.configured(preset, changes_of(change))
    loaded = load(data, classes, errata)
    folder = Path("runs") / method if out is None else out
    same = {**loaded.record, "protocol": protocol, "cache": cache}
    processes = cores(jobs) if engine == "local" else jobs  # a cluster has cores of its own
    with on_engine(engine, jobs=processes), progress_bars("clips", "folds") as (extracting, progress):
        run = run_evaluation(
            chosen, loaded.clips, folder, settings=settings, selection=selection, seeds=range(seed, seed + seeds),
            audit_seeds=audit_seeds, jobs=processes, extracting=extracting, progress=progress, **same,
        )  # fmt: skip
    if controls:
        for reason in evaluate_controls(folder, loaded.clips, jobs=cores(jobs), **same):
            typer.echo(f"note: no control row, {reason}", err=True)
    _finish(run)


@app.command()
def table(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.", show_default=False)],
    format: Annotated[str, typer.Option(help=TABLE_FORMATS)] = "text",  # noqa: A002
    selection: Annotated[str, typer.Option(help="Only these rows: fixed, nested or leaky.", show_default="all")] = "",
    controls: Annotated[bool, typer.Option(help="Show the runs' control rows.")] = True,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report of all runs to this file.")] = None,
) -> None:
    """Print the scores of runs in one table, with intervals over subjects.

    Example: dfrnet table runs/svm runs/dfrnet --format latex

    A folder of runs stands for all of them, as in dfrnet table results/*.
    """
    from dfrnet.evaluation.records import find_runs, load_run
    from dfrnet.evaluation.report import write_report
    from dfrnet.evaluation.scores import score_rows, with_controls
    from dfrnet.evaluation.tables import render

    paths, others = find_runs(runs)
    if others:
        typer.echo(f"note: no run in {', '.join(path.name for path in others)}; passed over", err=True)
    loaded = [load_run(path) for path in paths]
    rows = score_rows(with_controls(loaded) if controls else loaded, selection or None)
    typer.echo(render(rows, format, width()), nl=False)
    for run in loaded:
        _note_left_out(run)
    if report is not None:
        write_report(loaded, report)
        typer.echo(f"report: {report}", err=True)


@app.command()
def compare(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", help="The folder of a run.", show_default=False)],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", help="The folder of a run.", show_default=False)],
    selection: Annotated[
        str, typer.Option(help="Rows to compare: fixed or nested.", show_default="each run's first")
    ] = "",
    format: Annotated[str, typer.Option(help="text or json.")] = "text",  # noqa: A002
) -> None:
    """Compare two runs on the same clips: paired bootstrap over subjects, permutation test, t-test.

    Example: dfrnet compare runs/dfrnet runs/svm
    """
    from dfrnet.evaluation.compare import compare_runs, render_comparison
    from dfrnet.evaluation.records import load_run

    found = compare_runs(load_run(run_a), load_run(run_b), selection)
    typer.echo(render_comparison(found, format), nl=False)


@app.command()
def score(
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS.csv", help="What was predicted, or with --spotting found.", show_default=False
        ),
    ],
    format: Annotated[str, typer.Option(help=f"{TABLE_FORMATS} Of spotting: text or json.")] = "text",  # noqa: A002
    classes: Annotated[
        str, typer.Option(help="The class list, comma-separated.", show_default="those in the file")
    ] = "",
    spotting: Annotated[
        Path | None,
        typer.Option(metavar="TRUTH.csv", help="Score movements found in long videos against this annotation."),
    ] = None,
    seconds: Annotated[bool, typer.Option("--seconds", help="Spotting: times are in seconds, not frames.")] = False,
    fps: Annotated[float | None, typer.Option(help="Spotting: frames a second where no file says it.")] = None,
    videos: Annotated[
        Path | None,
        typer.Option(metavar="VIDEOS.csv", help="Spotting: video and duration (s), or frames and fps; all videos."),
    ] = None,
    iou: Annotated[
        float | None, typer.Option(help="Spotting: overlap from which it is right.", show_default="0.5")
    ] = None,
    compat: Annotated[
        str | None, typer.Option(help="Spotting: strs-metric, to see that program's figures too, faults kept.")
    ] = None,
) -> None:
    """Score anybody's predictions: a CSV with columns truth and prediction; dataset, subject, clip optional.

    Example: dfrnet score runs/svm/predictions.csv

    Movements in long videos: CSV with columns video, onset, offset; apex, label, kind, score, subject, fps optional.

    Example: dfrnet score --spotting truth.csv found.csv --fps 200 --videos videos.csv

    What dfrnet found: the folder that analyze wrote.

    Example: dfrnet score --spotting truth.csv out
    """
    named = tuple(name.strip() for name in classes.split(",")) if classes else None
    if named and (len(set(named)) < len(named) or "" in named):
        raise UserError(f"--classes {classes}: name each class once")
    if spotting is not None:
        from dfrnet.evaluation.spotting_files import score_spotting_files
        from dfrnet.evaluation.spotting_text import render_spotting
        from dfrnet.exchange.formats import read_results

        found = score_spotting_files(
            spotting, predictions, videos, frames=not seconds, fps=fps, iou=0.5 if iou is None else iou,
            compat=compat, classes=named, recordings=read_results(predictions) if predictions.is_dir() else None,
        )  # fmt: skip
        typer.echo(render_spotting(found, format), nl=False)
        return
    alone = {"--seconds": seconds or None, "--fps": fps, "--videos": videos, "--iou": iou, "--compat": compat}
    if given := [option for option, value in alone.items() if value is not None]:
        raise UserError(f"{', '.join(given)}: of spotting only; give --spotting TRUTH.csv too")
    from dfrnet.evaluation.score import score_file
    from dfrnet.evaluation.tables import render

    typer.echo(render(score_file(predictions, named), format, width()), nl=False)


@app.command(cls=NamesMethods)
def train(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="One of the methods below.", show_default=False)],
    data: Data,
    out: Annotated[Path, typer.Option(help="The model file (safetensors).")],
    run: Annotated[
        Path | None, typer.Option(help="A finished run of the same method, settings and data: calibrates the model.")
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="The share of movements that get a label.", show_default="0.8", min=0.1, max=1)
    ] = None,
    accuracy: Annotated[
        float | None, typer.Option(help="Instead: label as many as this share of right labels allows.", min=0, max=1)
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Round the weights to 16 bits: half the file.")] = False,
    seed: Seed = 0,
    jobs: Jobs = 0,
    preset: Preset = "",
    change: Set = [],  # noqa: B006
    classes: Classes = "three",
    errata: Errata = True,
    cache: Cache = CACHE,
) -> None:
    """Fit METHOD once on all clips, for use on new frames; its accuracy is what evaluate says of the same data.

    With --run, the folder of such an evaluation, that accuracy goes into the model's card, its probabilities are
    calibrated, and it gives no label where it is not sure.

    Example: dfrnet train dfrnet --data synthetic --set inputs=flow --out models/flow.safetensors
    """
    from dfrnet.evaluation.calibration import measured
    from dfrnet.recognizer import check_target
    from dfrnet.recognizer import train as fit

    if run is None and (coverage, accuracy) != (None, None):
        raise UserError("--coverage and --accuracy need a --run that tells how sure held-out answers are")
    chosen = find_method(method)
    settings = chosen.configured(preset, changes_of(change))
    check_target(out)
    loaded = load(data, classes, errata)
    found = None
    if run is not None:
        found = measured(run, chosen, settings, loaded.classes, loaded.clips, coverage=coverage, accuracy=accuracy)
    with progress_bars("clips") as (progress,):
        model = fit(
            chosen, loaded.clips, settings, **loaded.record, seed=seed, jobs=cores(jobs), cache=cache, half=half,
            progress=progress,
        )  # fmt: skip
    if found is not None:
        model = replace(model, **found)
    model.save(out)
    trained = model.trained_on
    typer.echo(f"{out}: {method} trained on {trained['clips']} clips of {trained['subjects']} subjects", err=True)
    if found is None:
        typer.echo("note: not calibrated and without a measured score; --run gives it both", err=True)
    else:
        typer.echo(f"temperature {model.temperature:.3f}, no label below {model.threshold:.3f}", err=True)


@app.command(cls=NamesMethods)
def cost(
    methods: Annotated[
        list[str], typer.Argument(metavar="METHOD...", help="Some of the methods below.", show_default=False)
    ],
    format: Annotated[str, typer.Option(help="text or json.")] = "text",  # noqa: A002
    preset: Preset = "",
    change: Set = [],  # noqa: B006
    repeats: Annotated[int, typer.Option(help="Timed calls for each thread count.", min=1)] = 50,
) -> None:
    """Parameters, FLOPs, and p50 and p95 latency at one and two threads, for one clip whose features are there.

    Example: dfrnet cost dfrnet ststnet --format json
    """
    from dfrnet.evaluation.cost import measure, render_costs

    chosen = [find_method(name) for name in methods]
    costs = [measure(one, one.configured(preset, changes_of(change)), repeats=repeats) for one in chosen]
    typer.echo(render_costs(costs, format, width()), nl=False)


def _finish(run: Run) -> None:
    """Print the run's table and write its report."""
    from dfrnet.evaluation.scores import score_rows, with_controls
    from dfrnet.evaluation.tables import render

    typer.echo(render(score_rows(with_controls([run])), width=width()), nl=False)
    _note_left_out(run)
    try:
        from dfrnet.evaluation.report import write_report

        write_report([run], run.path / "report.html")
    except (ModuleNotFoundError, UserError) as error:
        typer.echo(f"note: no report, {error}", err=True)
        return
    typer.echo(f"report: {run.path / 'report.html'}   predictions: {run.path / 'predictions.csv'}", err=True)


def _note_left_out(run: Run) -> None:
    if left_out := run.config.get("left_out"):
        clips = "1 clip is" if len(left_out) == 1 else f"{len(left_out)} clips are"
        typer.echo(f"note: {run.name}: {clips} left out; {run.path / 'run.json'} says why", err=True)
