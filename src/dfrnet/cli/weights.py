"""The command that scores weights which others published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dfrnet.cli.options import TABLE_FORMATS, Data, load, width

app = typer.Typer()


@app.command("score-weights")
def score_weights(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="ststnet.", show_default=False)],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="One PyTorch file per subject, as sub01.pth.", show_default=False)
    ],
    data: Data,
    format: Annotated[str, typer.Option(help=TABLE_FORMATS)] = "text",  # noqa: A002
    out: Annotated[Path | None, typer.Option(help="Also write a run into this new folder.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Score those subjects that have a file.")] = False,
) -> None:
    """Score weights that a method's authors published, each file on its own subject's clips; nothing is trained.

    Example: dfrnet score-weights ststnet STSTNet_Weights --data maps=../htnet --out runs/ststnet_published
    """
    from dfrnet.evaluation.scores import score_rows
    from dfrnet.evaluation.tables import render
    from dfrnet.evaluation.weights import check_new, write_run
    from dfrnet.evaluation.weights import score_weights as run_weights

    if out is not None:
        check_new(out)
    run = run_weights(method, folder, load(data, "three", True).clips, data=data, partial=partial)
    if out is not None:
        run = write_run(run, out)
    typer.echo(render(score_rows([run]), format, width()), nl=False)
