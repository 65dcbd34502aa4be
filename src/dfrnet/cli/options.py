"""What the commands share: options, a progress bar, and the words of ``--set``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from dfrnet.types import UserError

if TYPE_CHECKING:
    from dfrnet.datasets import Loaded

TABLE_FORMATS = "text, markdown, latex, csv or json."


class NamesMethods(TyperCommand):
    """A command whose help ends with the methods, read from the registry when help is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from dfrnet.datasets import names
        from dfrnet.methods import METHODS

        methods = "; ".join(f"{name} ({method.reference})" for name, method in METHODS.items())
        presets = ", ".join(f"{name}: {', '.join(m.presets)}" for name, m in METHODS.items() if m.presets)
        self.epilog = (
            f"Methods: {methods}. Presets: {presets}. Data sets: {', '.join(names())}. "
            "An unknown --set name prints all settings of the method."
        )
        super().format_help(ctx, formatter)


Data = Annotated[
    list[str], typer.Option("--data", metavar="NAME=ROOT", help="A data set and where it lies; may be given again.")
]
Classes = Annotated[
    str,
    typer.Option(
        help="three (MEGC2019), five (the data set's own), emotion (each), a unit such as AU12, or a TOML file."
    ),
]
Errata = Annotated[bool, typer.Option(help="Correct the known errors of the published sheets.")]
Cache = Annotated[Path, typer.Option(help="Folder of extracted features, shared by all commands.")]
CACHE = Path("runs/features")
Set = Annotated[list[str], typer.Option("--set", metavar="NAME=VALUE", help="Change a setting; may be given again.")]
Preset = Annotated[
    str,
    typer.Option(help="Start from a named set of settings, such as 'paper'.", show_default="the method's own settings"),
]
Jobs = Annotated[int, typer.Option(help="Processes at once; 0 for one a core.", min=0)]
Engine = Annotated[str, typer.Option(help="Where the processes run: local, ray or dask; see docs/cluster.md.")]
Seed = Annotated[int, typer.Option(help="Seed, of the first run where there are several.", min=0)]


def load(data: list[str], classes: str, errata: bool) -> Loaded:
    """The clips of ``--data``."""
    from dfrnet.datasets import load as read

    return read(data, classes, errata)


def find_method(name: str) -> Any:
    """A method by name."""
    from dfrnet.methods import METHODS
    from dfrnet.types import unknown_name

    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    return METHODS[name]


def changes_of(pairs: list[str]) -> dict[str, str]:
    """``--set`` options as a dict."""
    changes = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UserError(f"--set {pair}: write it as --set name=value")
        changes[name] = value
    return changes


def cores(jobs: int) -> int:
    """``--jobs``, 0 being one process a core."""
    return jobs or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else jobs or os.cpu_count() or 1


def width() -> int:
    """Columns of the terminal."""
    import shutil

    return shutil.get_terminal_size((120, 24)).columns


@contextmanager
def progress_bars(*units: str) -> Iterator[tuple[Callable[[int, int], None], ...]]:
    """A progress bar for each unit, on standard error, shown when its work begins; silent where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bars:

        def show(task: TaskID, done: int, total: int) -> None:
            bars.update(task, completed=done, total=total, visible=True)

        yield tuple(partial(show, bars.add_task(unit, total=None, visible=False)) for unit in units)
