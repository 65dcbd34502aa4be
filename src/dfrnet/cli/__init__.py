"""The command line: parse, call, print. Everything else is a public function elsewhere."""

from __future__ import annotations

import logging
import signal
import sys
from typing import Annotated

import typer

from dfrnet import __version__
from dfrnet.cli import agreement, data, evaluation, exchange, models, studies, video, weights
from dfrnet.types import UserError

# Commands import what they run when they run, so that --help answers at once.
app = typer.Typer(
    name="dfrnet",
    help="Facial micro-expression recognition, measured honestly. Assisted annotation of movements, not mind reading.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(evaluation.app)
app.add_typer(weights.app)
app.add_typer(studies.app)
app.add_typer(data.app)
app.add_typer(models.app)
app.add_typer(video.app)
app.add_typer(exchange.app)
app.add_typer(agreement.app)

NEEDS = {
    "torch": "train", "matplotlib": "report", "av": "video", "dlib": "dlib", "torchvision": "backbones", "ray": "ray",
    "distributed": "dask", "onnxruntime": "runtime", "onnx": "export", "onnxscript": "export", "pympi": "elan",
    "websockets": "live", "pylsl": "lsl",
}  # fmt: skip
"""Optional packages and the extra that brings them."""


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Facial micro-expression recognition, measured honestly. Assisted annotation of movements, not mind reading."""
    if version:
        typer.echo(f"dfrnet {__version__}")
        raise typer.Exit


INTERRUPTED = 130
"""What typer makes of Ctrl-C."""

GOES_ON = "given again, the same command goes on where it was cut"
STOPPED = {
    **dict.fromkeys(("demo", "evaluate", "study", "extract"), GOES_ON),
    "analyze": "given again with --resume, the same command goes on with what is not done",
}
"""What an interrupted command does when it is given again; the others begin anew."""


def main() -> None:
    """Run the command line; a user's mistake is one sentence and exit status 1, wrong usage is 2."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end like Ctrl-C, so that workers end too
    logging.basicConfig(format="note: %(message)s", level=logging.WARNING)
    try:
        app()
    except UserError as error:
        typer.echo(f"dfrnet: {error}", err=True)
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
            typer.echo(f"dfrnet: stopped; {STOPPED.get(command, 'given again, it begins anew')}", err=True)
        raise
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
