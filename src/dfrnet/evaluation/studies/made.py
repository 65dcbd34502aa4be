"""A finished study as files: each sheet in five formats, each picture, and one page of all studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dfrnet.evaluation import figures
from dfrnet.evaluation.page import escape, page, picture, section, table
from dfrnet.evaluation.records import write_bytes, write_text
from dfrnet.evaluation.studies.apex import apex_study
from dfrnet.evaluation.studies.plan import Options, Study
from dfrnet.evaluation.studies.runs import Material, Outcome, Progress, Tell, run_study
from dfrnet.evaluation.studies.sheet import FORMATS, Sheet, cell, is_word, render_sheet, title
from dfrnet.evaluation.studies.views import VIEWS
from dfrnet.methods import METHODS, flat
from dfrnet.types import Clip

SUFFIXES = {"text": "txt", "markdown": "md", "latex": "tex", "csv": "csv", "json": "json"}

QUICK_NOTE = (
    "A REHEARSAL (--quick): a few clips of a few subjects and three epochs. These numbers show that everything runs; "
    "they say nothing about any method."
)

APEX = Study("apex", "section 3.1.1", "How far does each way of finding the apex lie from the coders' mark?", ())


@dataclass(frozen=True)
class Made:
    """A study's question, its sheets, and its pictures by file name."""

    study: Study
    sheets: tuple[Sheet, ...]
    pictures: Mapping[str, bytes]


def make(
    study: Study,
    material: Material,
    options: Options,
    tell: Tell = lambda line: None,  # noqa: ARG005
    progress: Progress = None,
    extracting: Progress = None,
) -> Made:
    """Run what is missing of a study and make its sheets and pictures."""
    return finish(run_study(study, material, options, tell, progress, extracting), options)


def finish(outcome: Outcome, options: Options) -> Made:
    """The sheets and pictures of an outcome."""
    sheets: list[Sheet] = []
    pictures: dict[str, bytes] = {}
    for name in outcome.study.shows:
        view = VIEWS[name](outcome)
        sheets += view.sheets
        pictures |= view.pictures
    if not sheets:
        reasons = "; ".join(f"{label}: {why}" for label, why in outcome.left_out.items())
        sheets = [Sheet(outcome.study.name, "No row could be run", (), (reasons or "No row was asked for.",))]
    return Made(outcome.study, _marked(sheets, options.quick), pictures)


def _marked(sheets: Sequence[Sheet], quick: bool) -> tuple[Sheet, ...]:
    """The sheets of a rehearsal say so."""
    return tuple(replace(sheet, notes=(QUICK_NOTE, *sheet.notes)) if quick else sheet for sheet in sheets)


def make_apex(clips: Sequence[Clip], options: Options, progress: Progress = None) -> Made:
    """The study of the apex rules as the others are; of the settings, those of the features count."""
    known = {name: value for name, value in options.changes.items() if name in flat(METHODS["svm_flow"].settings)}
    spec = METHODS["svm_flow"].configured("", known).features
    rows = tuple(apex_study(clips, spec, jobs=options.jobs, progress=progress))
    points = [(f"{row['data']}, {row['method']}", row["mae_frames"], row["mae_interval"])
              for row in rows if row["mae_frames"] is not None]  # fmt: skip
    drawn = figures.dot_figure(points, "Apex rules against the annotation", "mean absolute error in frames")
    sheets = _marked([Sheet("apex", "Apex rules against the annotation", rows)], options.quick)
    return Made(APEX, sheets, {"apex.png": drawn})


def write_made(made: Made, out: Path) -> Path:
    """Write ``out/NAME/SHEET.{txt,md,tex,csv,json}`` and the pictures, each whole or not at all; the folder."""
    folder = out / made.study.name
    for stale in [path for path in folder.glob("*.*") if path.suffix[1:] in {*SUFFIXES.values(), "png"}]:
        stale.unlink()  # of other data sets, perhaps
    for sheet in made.sheets:
        for form in FORMATS:
            write_text(folder / f"{sheet.name}.{SUFFIXES[form]}", render_sheet(sheet, form, 120))
    for name, png in made.pictures.items():
        write_bytes(folder / name, png)
    return folder


def write_page(made: Sequence[Made], path: Path, about: Sequence[str], quick: bool) -> None:
    """All studies on one page that opens offline; ``about`` is what was run, a sentence each."""
    parts = ["<h1>Studies</h1>", *(f"<p>{escape(line)}</p>" for line in about)]
    if quick:
        parts.append(f'<p class="warn">{escape(QUICK_NOTE)}</p>')
    listed = "".join(f'<li><a href="#{m.study.name}">{escape(_heading(m.study))}</a></li>' for m in made)
    parts.append(f"<ul>{listed}</ul>")
    parts += [f'<div id="{one.study.name}">{_study_part(one)}</div>' for one in made]
    write_text(path, page("Studies", parts))


def _heading(study: Study) -> str:
    return f"{study.name} ({study.paper})"


def _study_part(made: Made) -> str:
    body = f"<p>{escape(made.study.question)}</p>"
    for sheet in made.sheets:
        body += section(sheet.title, _sheet_part(sheet), level=3)
    body += "".join(picture(png, f"{made.study.name}, {name}") for name, png in made.pictures.items())
    return section(_heading(made.study), body)


def _sheet_part(sheet: Sheet) -> str:
    names = sorted(sheet.columns, key=lambda name: not is_word(sheet, name)) if sheet.rows else []
    words = sum(is_word(sheet, name) for name in names)
    lines = [
        ("leaky" if row.get("selection") == "leaky" else "", [cell(name, row.get(name)) for name in names])
        for row in sheet.rows
    ]
    told = "".join(f"<li>{escape(note)}</li>" for note in sheet.told)
    shown = table([title(name) for name in names], lines, words=words) if names else ""
    return shown + (f'<ul class="notes">{told}</ul>' if told else "")
