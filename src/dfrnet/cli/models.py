"""Commands about trained models: which ones come with the package, and their way to machines without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dfrnet.cli.options import CACHE, Cache, Classes, Errata, Jobs, cores, progress_bars
from dfrnet.cli.options import load as load_clips
from dfrnet.types import UserError, unknown_name

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dfrnet.recognizer import Recognizer
    from dfrnet.types import Array

app = typer.Typer()


@app.command()
def models(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Print this model's card.", show_default=False)] = "",
) -> None:
    """List the models that come with the package, or print the card of one: read it before you use the model.

    Example: dfrnet models maps
    """
    from dfrnet.recognizer import MODELS

    if name:
        if name not in MODELS:
            raise unknown_name("model", name, MODELS)
        typer.echo(MODELS[name].with_suffix(".md").read_text(encoding="utf-8"), nl=False)
        return
    for one, path in MODELS.items():
        # The card's first line of text says what the model is and on what terms.
        lines = path.with_suffix(".md").read_text(encoding="utf-8").splitlines()
        typer.echo(f"{one:<10}  {next(line for line in lines if line and not line.startswith('#'))}")


@app.command()
def export(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A file of dfrnet train, or the name of a model that comes with dfrnet."),
    ],
    out: Annotated[Path, typer.Option(help="The file to write, ending in .onnx.")],
    to: Annotated[str, typer.Option(help="The format: onnx.")] = "onnx",
    int8: Annotated[bool, typer.Option("--int8", help="8-bit weights and activations; needs --data.")] = False,
    data: Annotated[
        list[str],
        typer.Option("--data", metavar="NAME=ROOT", help="Clips for --int8: their ranges, and what it changes."),
    ] = [],  # noqa: B006 (typer copies it)
    classes: Classes = "three",
    errata: Errata = True,
    jobs: Jobs = 0,
    cache: Cache = CACHE,
) -> None:
    """Write a model as ONNX with its record, for machines without torch; its answers are compared before it is written.

    Example: dfrnet export synthetic --out synthetic.onnx
    """
    from dfrnet.export import to_onnx
    from dfrnet.recognizer import MODELS, check_target, load

    if to != "onnx":
        raise unknown_name("format", to, ("onnx",))
    if out.suffix != ".onnx":
        raise UserError(f"{out}: a model file for onnxruntime ends in .onnx; name it {out.with_suffix('.onnx')}")
    check_target(out)
    trained = load(MODELS[model].with_suffix(".safetensors") if model in MODELS else Path(model))
    x, y = None, None
    if data:
        x, y = _examples(trained, data, classes, errata, cores(jobs), cache)
    written = to_onnx(trained, out, int8=int8, x=x, y=y)
    typer.echo(f"{out}: {out.stat().st_size / 2**20:.1f} MiB; its answers are torch's within 1e-4", err=True)
    if int8:
        found = written.card["int8"]
        typer.echo(
            f"int8, on {found['clips']} clips: {found['same_label']:.1%} of the labels are the same, probabilities "
            f"differ by {found['mean_difference']:.3f} on average and {found['largest_difference']:.3f} at most, UF1 "
            f"{found['uf1'][0]:.3f} before and {found['uf1'][1]:.3f} after (of clips it was trained on that says what "
            "rounding does, not how good the model is)",
            err=True,
        )


def _examples(
    model: Recognizer, data: list[str], classes: str, errata: bool, jobs: int, cache: Path
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Features (N, C, S, S) of the clips as the model wants them, and their classes (N,)."""
    import numpy as np

    from dfrnet.features import features, fitted_spec

    loaded = load_clips(data, classes, errata)
    if tuple(loaded.classes) != model.classes:
        raise UserError(f"--classes {classes}: the model knows {', '.join(model.classes)}; name the classes it has")
    if fitted_spec(loaded.clips, model.spec) != model.spec:
        raise UserError(
            f"--data {data[0]}: its maps are smaller than the model's {model.spec.size} pixels; name others"
        )
    with progress_bars("clips") as (progress,):
        found = features(loaded.clips, model.spec, jobs=jobs, cache=cache, progress=progress)
    return found.x, np.array([model.classes.index(clip.label) for clip in found.clips], dtype=np.int64)
