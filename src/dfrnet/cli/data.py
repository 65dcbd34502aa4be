"""Commands that look after data: check an archive, extract features."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dfrnet.cli.options import (
    CACHE,
    Cache,
    Classes,
    Data,
    Engine,
    Errata,
    Jobs,
    NamesMethods,
    Preset,
    Set,
    changes_of,
    cores,
    find_method,
    load,
    progress_bars,
)
from dfrnet.types import UserError

app = typer.Typer()
data_app = typer.Typer(name="data", help="Look after data sets as they were received.", no_args_is_help=True)
app.add_typer(data_app)


@data_app.callback()
def top() -> None:
    """Look after data sets as they were received."""


@data_app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The data set.", show_default=False)],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The folder in which it lies.", show_default=False)],
    format: Annotated[str, typer.Option(help="text or json.")] = "text",  # noqa: A002
    every: Annotated[bool, typer.Option("--all", help="Show every finding, not five of a kind.")] = False,
    errata: Errata = True,
    jobs: Jobs = 0,
) -> None:
    """Compare an archive as it lies on disk with the published counts and name all that is amiss.

    Exit status 1 when a clip cannot be used. NAME: smic, casme2, samm, megc2019, casme3, mmew or dfme.

    Example: dfrnet data check casme2 /data/CASME2
    """
    from dfrnet.datasets.check import check as examine
    from dfrnet.datasets.check import render

    if format not in {"text", "json"}:
        raise UserError(f"--format {format}: text or json")
    with progress_bars("clips") as (progress,):
        reports = examine(name, root, errata=errata, jobs=cores(jobs), progress=progress)
    typer.echo(render(reports, format, every), nl=False)
    if any(report.unusable for report in reports):
        raise typer.Exit(1)


class Layout(StrEnum):
    """Layouts of other people's code that ``extract --as`` can write."""

    RELEASED_MAPS = "released-maps"


@app.command(cls=NamesMethods)
def extract(
    data: Data,
    out: Annotated[Path | None, typer.Argument(metavar="OUT", help="With --as: the folder to write.")] = None,
    layout: Annotated[Layout | None, typer.Option("--as", help="Write maps in this layout instead.")] = None,
    method: Annotated[str, typer.Option(help="Whose features: the inputs of this method.")] = "svm_flow",
    preset: Preset = "",
    change: Set = [],  # noqa: B006 (typer copies it)
    classes: Classes = "three",
    errata: Errata = True,
    cache: Cache = CACHE,
    jobs: Jobs = 0,
    engine: Engine = "local",
) -> None:
    """Extract features into the cache that evaluate and train read; the same command goes on where it was cut.

    Example: dfrnet extract --data casme2=/data/CASME2 --method dfrnet

    With --as released-maps OUT: 28x28 pictures of flow and strain, as the public HTNet repository has them.
    """
    from dfrnet.features import fitted_spec
    from dfrnet.features.batch import fill
    from dfrnet.features.released_maps import write_released_maps
    from dfrnet.parallel import engine as on_engine

    if (layout is None) != (out is None):
        raise UserError("extract: --as released-maps and OUT, the folder to write, go together")
    chosen, changes = find_method(method), changes_of(change)
    fixed = {"maps", "size", "scale"} & set(changes)
    if layout is not None and fixed:
        raise UserError(f"--set {sorted(fixed)[0]}: with --as released-maps the layout says what that is")
    loaded = load(data, classes, errata)
    spec = fitted_spec(loaded.clips, chosen.inputs(chosen.configured(preset, changes)))
    processes = cores(jobs) if engine == "local" else jobs
    with on_engine(engine, jobs=processes), progress_bars("clips") as (progress,):
        if out is not None:
            left_out = write_released_maps(loaded.clips, out, spec, jobs=processes, cache=cache, progress=progress)
            done = f"{out}: maps of {len(loaded.clips) - len(left_out)} clips; read them with --data maps={out}"
        else:
            filled = fill(loaded.clips, spec, jobs=processes, cache=cache, progress=progress)
            left_out = filled.left_out
            done = f"{cache}: features of {filled.done} clips extracted, of {filled.reused} there already"
    for sentence in left_out.values():
        typer.echo(f"note: left out: {sentence}", err=True)
    total = len({*left_out, *loaded.left_out})
    typer.echo(done + (f"; {total} left out" if total else ""))
