"""The command line: parse, call, print. Everything else is a public function elsewhere."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from dfrnet import __version__
from dfrnet.types import UserError

if TYPE_CHECKING:
    from dfrnet.evaluation.records import Run

# Commands import what they run when they run, so that --help answers at once.
app = typer.Typer(
    name="dfrnet",
    help="Facial micro-expression recognition, measured honestly. Assisted annotation of movements, not mind reading.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

NEEDS = {"torch": "train", "safetensors": "train", "matplotlib": "report"}
"""Optional packages and the extra that brings them."""


TABLE_FORMATS = "text, markdown, latex, csv or json."


class NamesMethods(TyperCommand):
    """A command whose help ends with the methods, read from the registry when help is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from dfrnet.datasets import DATASETS
        from dfrnet.methods import METHODS

        methods = "; ".join(f"{name} ({method.reference})" for name, method in METHODS.items())
        presets = ", ".join(f"{name}: {', '.join(m.presets)}" for name, m in METHODS.items() if m.presets)
        self.epilog = (
            f"Methods: {methods}. Presets: {presets}. Data sets: {', '.join(DATASETS)}. "
            "An unknown --set name prints all settings of the method."
        )
        super().format_help(ctx, formatter)


Data = Annotated[
    list[str], typer.Option("--data", metavar="NAME=ROOT", help="A data set and where it lies; may be given again.")
]
Set = Annotated[list[str], typer.Option("--set", metavar="NAME=VALUE", help="Change a setting; may be given again.")]
Preset = Annotated[str, typer.Option(help="Start from a named set of settings, such as 'paper'.")]
Jobs = Annotated[int, typer.Option(help="Processes at once; 0 for one a core.", min=0)]
Seed = Annotated[int, typer.Option(help="Seed, of the first run where there are several.", min=0)]


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Facial micro-expression recognition, measured honestly. Assisted annotation of movements, not mind reading."""
    if version:
        typer.echo(f"dfrnet {__version__}")
        raise typer.Exit


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

    typer.echo("Drawing faces, extracting optical flow, training DFR-Net with one subject left out at a time ...")
    with _progress("folds") as progress:
        run = run_demo(out, seed=seed, jobs=_cores(jobs), progress=progress)
    _finish(run)


@app.command(cls=NamesMethods)
def evaluate(
    method: Annotated[str, typer.Argument(metavar="METHOD", show_default=False)],
    data: Data,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.  [default: runs/METHOD]")] = None,
    protocol: Annotated[str, typer.Option(help="Who is left out: loso.")] = "loso",
    selection: Annotated[
        str,
        typer.Option(
            help="Which epoch counts: the last (fixed), one chosen on held-out training subjects (nested), or both "
            "and, labelled LEAKY, the one best on the test subject (audit)."
        ),
    ] = "fixed",
    seeds: Annotated[int, typer.Option(help="How many seeds.", min=1)] = 1,
    seed: Seed = 0,
    jobs: Jobs = 0,
    preset: Preset = "",
    change: Set = [],  # noqa: B006 (typer copies it)
    controls: Annotated[bool, typer.Option(help="Also run the constant and the SVM on flow.")] = True,
) -> None:
    """Train and test METHOD with one subject left out at a time; the same command goes on where it was cut.

    Example: dfrnet evaluate svm_flow --data maps=../htnet --out runs/svm
    """
    from dfrnet.datasets import load
    from dfrnet.evaluation.run import evaluate as run_evaluation
    from dfrnet.evaluation.run import evaluate_controls

    chosen = _method(method)
    settings = chosen.configured(preset, _changes(change))
    clips = load(data)
    folder = Path("runs") / method if out is None else out
    with _progress("folds") as progress:
        run = run_evaluation(
            chosen, clips, folder, settings=settings, data=data, protocol=protocol, selection=selection,
            seeds=range(seed, seed + seeds), jobs=_cores(jobs), progress=progress,
        )  # fmt: skip
    if controls:
        for reason in evaluate_controls(folder, clips, data=data, protocol=protocol, jobs=_cores(jobs)):
            typer.echo(f"note: no control row, {reason}", err=True)
    _finish(run)


@app.command()
def table(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", show_default=False)],
    format: Annotated[str, typer.Option(help=TABLE_FORMATS)] = "text",  # noqa: A002
    selection: Annotated[str, typer.Option(help="Only these rows: fixed, nested or leaky.")] = "",
    controls: Annotated[bool, typer.Option(help="Show the runs' control rows.")] = True,
    report: Annotated[Path | None, typer.Option(help="Also write an HTML report of all runs to this file.")] = None,
) -> None:
    """Print the scores of runs in one table, with intervals over subjects.

    Example: dfrnet table runs/svm runs/dfrnet --format latex
    """
    from dfrnet.evaluation.records import load_run
    from dfrnet.evaluation.report import write_report
    from dfrnet.evaluation.scores import score_rows, with_controls
    from dfrnet.evaluation.tables import render

    loaded = [load_run(path) for path in runs]
    rows = score_rows(with_controls(loaded) if controls else loaded, selection or None)
    typer.echo(render(rows, format, _width()), nl=False)
    if report is not None:
        write_report(loaded, report)
        typer.echo(f"report: {report}", err=True)


@app.command()
def compare(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", show_default=False)],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", show_default=False)],
    selection: Annotated[str, typer.Option(help="Rows to compare: fixed or nested.  [default: each run's first]")] = "",
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
    predictions: Annotated[Path, typer.Argument(metavar="PREDICTIONS.csv", show_default=False)],
    format: Annotated[str, typer.Option(help=TABLE_FORMATS)] = "text",  # noqa: A002
    classes: Annotated[str, typer.Option(help="The class list, comma-separated.  [default: those in the file]")] = "",
) -> None:
    """Score anybody's predictions: a CSV with columns truth and prediction; dataset, subject, clip optional.

    Example: dfrnet score runs/svm/predictions.csv
    """
    from dfrnet.evaluation.score import score_file
    from dfrnet.evaluation.tables import render

    named = tuple(name.strip() for name in classes.split(",")) if classes else None
    if named and (len(set(named)) < len(named) or "" in named):
        raise UserError(f"--classes {classes}: name each class once")
    rows = score_file(predictions, named)
    typer.echo(render(rows, format, _width()), nl=False)


@app.command(cls=NamesMethods)
def train(
    method: Annotated[str, typer.Argument(metavar="METHOD", show_default=False)],
    data: Data,
    out: Annotated[Path, typer.Option(help="The model file (safetensors).")],
    seed: Seed = 0,
    jobs: Jobs = 0,
    preset: Preset = "",
    change: Set = [],  # noqa: B006
) -> None:
    """Fit METHOD once on all clips, for use on new frames; its accuracy is what evaluate says of the same data.

    Example: dfrnet train dfrnet --data synthetic --set inputs=flow --out models/flow.safetensors
    """
    from dfrnet.datasets import load
    from dfrnet.recognizer import check_target
    from dfrnet.recognizer import train as fit

    chosen = _method(method)
    settings = chosen.configured(preset, _changes(change))
    check_target(out)
    model = fit(chosen, load(data), settings, data=data, seed=seed, jobs=_cores(jobs))
    model.save(out)
    trained = model.trained_on
    typer.echo(f"{out}: {method} trained on {trained['clips']} clips of {trained['subjects']} subjects", err=True)


@app.command(cls=NamesMethods)
def cost(
    methods: Annotated[list[str], typer.Argument(metavar="METHOD...", show_default=False)],
    format: Annotated[str, typer.Option(help="text or json.")] = "text",  # noqa: A002
    preset: Preset = "",
    change: Set = [],  # noqa: B006
    repeats: Annotated[int, typer.Option(help="Timed calls for each thread count.", min=1)] = 50,
) -> None:
    """Parameters, FLOPs, and p50 and p95 latency at one and two threads, for one clip whose features are there.

    Example: dfrnet cost dfrnet ststnet --format json
    """
    from dfrnet.evaluation.cost import measure, render_costs

    chosen = [_method(name) for name in methods]
    costs = [measure(one, one.configured(preset, _changes(change)), repeats=repeats) for one in chosen]
    typer.echo(render_costs(costs, format, _width()), nl=False)


def main() -> None:
    """Run the command line; a user's mistake is one sentence and exit status 1, wrong usage is 2."""
    logging.basicConfig(format="note: %(message)s", level=logging.WARNING)
    try:
        app()
    except UserError as error:
        typer.echo(f"dfrnet: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        reason = error.strerror or error
        typer.echo(f"dfrnet: {error.filename or 'a file'}: {reason}; check that it exists and may be used", err=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if error.name not in NEEDS:
            raise
        extra = NEEDS[error.name]
        typer.echo(f"dfrnet: this needs {error.name}; install it with: pip install 'dfrnet[{extra}]'", err=True)
        sys.exit(1)


def _method(name: str) -> Any:
    from dfrnet.methods import METHODS
    from dfrnet.types import unknown_name

    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    return METHODS[name]


def _changes(pairs: list[str]) -> dict[str, str]:
    changes = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UserError(f"--set {pair}: write it as --set name=value")
        changes[name] = value
    return changes


def _cores(jobs: int) -> int:
    return jobs or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else jobs or os.cpu_count() or 1


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((120, 24)).columns


def _finish(run: Run) -> None:
    """Print the run's table and write its report."""
    from dfrnet.evaluation.scores import score_rows, with_controls
    from dfrnet.evaluation.tables import render

    typer.echo(render(score_rows(with_controls([run])), width=_width()), nl=False)
    try:
        from dfrnet.evaluation.report import write_report

        write_report([run], run.path / "report.html")
    except (ModuleNotFoundError, UserError) as error:
        typer.echo(f"note: no report, {error}", err=True)
        return
    typer.echo(f"report: {run.path / 'report.html'}   predictions: {run.path / 'predictions.csv'}", err=True)


@contextmanager
def _progress(unit: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, silent where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(unit, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
