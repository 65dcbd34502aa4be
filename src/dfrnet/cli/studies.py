"""``dfrnet study``: the tables and figures of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dfrnet.cli.options import (
    CACHE,
    Cache,
    Engine,
    Errata,
    Jobs,
    NamesMethods,
    changes_of,
    cores,
    find_method,
    load,
    progress_bars,
    width,
)
from dfrnet.types import UserError, unknown_name

if TYPE_CHECKING:
    from dfrnet.evaluation.studies import Made, Options

app = typer.Typer()

ALL = "all"


@app.command(cls=NamesMethods)
def study(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="composition, comparison, significance, confusion, features, fusion, backbone, attention, depth, "
            "convergence, protocols, cd6me, apex; or all.",
            show_default=False,
        ),
    ],
    data: Annotated[list[str], typer.Option("--data", metavar="NAME=ROOT", help="A data set and where it lies.")] = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="Folder of runs, tables and pictures.", show_default="runs/study")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds.", min=1)] = 1,
    audit_seeds: Annotated[
        int | None, typer.Option(help="Audit only so many of them, the first.", show_default="all", min=1)
    ] = None,
    selection: Annotated[
        str, typer.Option(help="audit (three rows), leak (no nested row), fixed or nested.")
    ] = "audit",
    quick: Annotated[bool, typer.Option("--quick", help="A rehearsal: few subjects, three epochs.")] = False,
    only: Annotated[list[str], typer.Option(help="Only the rows of this method, or this row; repeat it.")] = [],  # noqa: B006
    change: Annotated[
        list[str], typer.Option("--set", metavar="[METHOD.]NAME=VALUE", help="A setting of all methods, or of one.")
    ] = [],  # noqa: B006
    format: Annotated[str, typer.Option(help="text, markdown, latex, csv or json.")] = "text",  # noqa: A002
    errata: Errata = True,
    cache: Cache = CACHE,
    jobs: Jobs = 0,
    engine: Engine = "local",
) -> None:
    """Make a table or figure of the paper, end to end; the same command goes on where it was cut.

    Example: dfrnet study comparison --data maps=../htnet --seeds 3 --out runs/maps

    METHOD.seeds=N, METHOD.audit_seeds=N and METHOD.selection=... among --set are for one method alone. Writes each
    table in text, Markdown, LaTeX, CSV and JSON into OUT/NAME, its pictures and a page beside them.
    """
    from dfrnet.evaluation.studies import FORMATS, STUDIES, Options
    from dfrnet.parallel import engine as on_engine

    if name not in (*STUDIES, "apex", ALL):
        raise unknown_name("study", name, (*STUDIES, "apex", ALL))
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    if not data and name != "apex":
        raise UserError(
            f"no data given; add --data NAME=ROOT, for example: dfrnet study {name} --data synthetic --quick"
        )
    _check_words(selection, only)
    changes, own = _split_changes(change)
    processes = cores(jobs) if engine == "local" else jobs  # a cluster has cores of its own
    options = Options(
        out or Path("runs/study-quick" if quick else "runs/study"), seeds, audit_seeds, selection, processes, quick,
        cache=cache, changes=changes, own=own, only=tuple(only),
    )  # fmt: skip
    with on_engine(engine, jobs=processes):
        made = _made([*STUDIES, "apex"] if name == ALL else [name], data, options, errata)
    _write(made, data, options, format, named=name)
    if not any(sheet.rows for one in made for sheet in one.sheets):
        raise typer.Exit(1)


def _made(names: Sequence[str], data: list[str], options: Options, errata: bool) -> list[Made]:
    from dfrnet.evaluation.studies import STUDIES, Material, make, make_apex, study_clips, write_made

    material = Material(tuple(data), errata, options.quick)
    made = []
    with progress_bars("clips", "folds") as (clips_bar, folds_bar):
        for name in names:
            if name == "apex":
                made.append(make_apex(_apex_clips(data, errata, options.quick, study_clips), options, clips_bar))
            else:
                tell = partial(typer.echo, err=True)
                made.append(make(STUDIES[name], material, options, tell, folds_bar, clips_bar))
            typer.echo(f"{name}: {write_made(made[-1], options.out)}", err=True)
    return made


def _apex_clips(data: list[str], errata: bool, quick: bool, study_clips: Any) -> list[Any]:
    """Clips with frames and a marked apex: those of the data, and drawn faces always."""
    from dfrnet.evaluation.studies import DRAWN

    real = [source for source in data if source.partition("=")[0] not in ("synthetic", "maps")]
    hardness = [source.partition("=")[2] for source in data if source.startswith("synthetic=")]
    drawn = study_clips(tuple(dict.fromkeys([*DRAWN, *hardness])), **({"every": 24} if quick else {}))
    return [*(load(real, "emotion", errata).clips if real else ()), *drawn]


def _split_changes(pairs: list[str]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """``--set`` for all methods, and for one by its name; UserError for a setting that no method has."""
    from dfrnet.evaluation.run import SELECTION_MODES
    from dfrnet.evaluation.studies.runs import OWN
    from dfrnet.methods import METHODS, flat

    changes: dict[str, str] = {}
    own: dict[str, dict[str, str]] = {}
    for name, value in changes_of(pairs).items():
        method, dot, setting = name.partition(".")
        if dot:
            if setting == "selection":
                if value not in SELECTION_MODES:
                    raise unknown_name("selection", value, SELECTION_MODES)
            elif setting not in OWN:
                find_method(method).configured("", {setting: value})
            elif not value.isdecimal() or int(value) < 1:
                raise UserError(f"--set {name}={value}: that is not a whole number above 0")
            own.setdefault(find_method(method).name, {})[setting] = value
        else:
            owners = [one for one in METHODS.values() if name in flat(one.settings)]
            if not owners:
                known = dict.fromkeys(setting for one in METHODS.values() for setting in flat(one.settings))
                raise unknown_name("setting of any method", name, known)
            _check_taken(owners, name, value)
            changes[name] = value
    return changes, own


def _check_taken(owners: Sequence[Any], name: str, value: str) -> None:
    """UserError unless some method takes the value."""
    refusals = []
    for one in owners:
        try:
            one.configured("", {name: value})
        except UserError as error:
            refusals.append(error)
    if len(refusals) == len(owners):
        raise refusals[0]


def _check_words(selection: str, only: Sequence[str]) -> None:
    from dfrnet.evaluation.run import SELECTION_MODES
    from dfrnet.evaluation.studies import STUDIES
    from dfrnet.methods import METHODS

    if selection not in SELECTION_MODES:
        raise unknown_name("selection", selection, SELECTION_MODES)
    known = dict.fromkeys([*METHODS, *(entry.label for study in STUDIES.values() for entry in study.entries)])
    for name in only:
        if name not in known:
            raise unknown_name("row", name, known)


def _write(made: Sequence[Made], data: list[str], options: Options, format: str, named: str) -> None:  # noqa: A002
    from dfrnet.datasets import described
    from dfrnet.evaluation.studies import render_sheet, write_page

    for sheet in made[0].sheets if named != ALL else ():
        typer.echo(render_sheet(sheet, format, width()), nl=False)
    about = [f"Data: {', '.join(described(source) for source in data) or 'drawn faces'}; seeds: {options.seeds}."]
    page = options.out / (made[0].study.name if named != ALL else "") / "report.html"
    write_page(made, page, about, options.quick)
    typer.echo(f"page: {page}", err=True)
