"""The arrows of the design, kept by reading the source: who may import whom, and how large a file may grow."""

import ast
from pathlib import Path

import pytest

import dfrnet

SOURCE = Path(dfrnet.__file__).parent
LAYERS = (
    ("dfrnet", "types", "frames", "parallel"),
    ("datasets", "faces", "networks"),
    ("features",),
    ("training", "runtime"),
    ("methods",),
    ("evaluation", "recognizer"),
    ("export", "video"),
    ("exchange",),
    ("web",),
    ("cli",),
    ("__main__",),
)
"""From the lowest up; a module imports from lower layers or its own package. The root package holds the first layer."""

LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
FORBIDDEN = {"utils", "util", "core", "base", "common", "helpers", "helper", "engine", "misc", "lib"}
FILES = sorted(SOURCE.rglob("*.py"))
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))


def part_of(module: str) -> str:
    """``dfrnet.features.maps`` -> ``features``; the package itself -> ``dfrnet``."""
    words = module.split(".")
    return words[1] if len(words) > 1 else "dfrnet"


def module_of(path: Path) -> str:
    words = ["dfrnet", *path.relative_to(SOURCE).with_suffix("").parts]
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


def imports(path: Path) -> list[tuple[str, int]]:
    """Every module of the package that a file imports, anywhere in it: in functions and under TYPE_CHECKING too."""
    return imported(ast.parse(path.read_text(encoding="utf-8")), module_of(path), path.name == "__init__.py")


def imported(tree: ast.AST, module: str, is_package: bool = False) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            owner = module.split(".")
            base = owner[: len(owner) - node.level + is_package] if node.level else []
            name = ".".join([*base, *filter(None, [node.module])])
            # `from dfrnet import cli` names a module, `from dfrnet import __version__` does not.
            found += [
                (f"{name}.{alias.name}" if name == "dfrnet" and alias.name in LEVEL else name, node.lineno)
                for alias in node.names
            ]
    return [(name, line) for name, line in found if name.split(".")[0] == "dfrnet"]


def breaks(importer: str, target: str) -> bool:
    one, other = part_of(importer), part_of(target)
    if one == other:
        return False
    if LEVEL[one] == LEVEL[other] == 0:
        return other == "frames"  # types may be read by all, frames by none below
    return LEVEL[other] >= LEVEL[one]


@every_file
def test_arrows_run_one_way(path):
    wrong = [f"line {line}: {name}" for name, line in imports(path) if breaks(module_of(path), name)]
    assert not wrong, f"{module_of(path)} may not import {', '.join(wrong)}"


@pytest.mark.parametrize(
    ("module", "line", "wrong"),
    [
        ("dfrnet.datasets.smic", "from dfrnet.features import FeatureSpec", True),
        ("dfrnet.datasets.smic", "from dfrnet.networks.fusion import FUSIONS", True),
        ("dfrnet.datasets.smic", "from dfrnet.frames import image_folder", False),
        ("dfrnet.datasets.smic", "from .released_maps import load", False),
        ("dfrnet.networks.resnet", "if TYPE_CHECKING:\n    from dfrnet.features import FeatureSpec", True),
        ("dfrnet.features.flow", "def f():\n    import dfrnet.methods.dfrnet", True),
        ("dfrnet.training.classifier", "from dfrnet.features import strain", False),
        ("dfrnet.training.classifier", "from ..methods import METHODS", True),
        ("dfrnet.evaluation.run", "from dfrnet.recognizer import load", True),
        ("dfrnet.evaluation.demo", "from dfrnet.datasets import synthetic", False),
        ("dfrnet.recognizer", "from dfrnet import __version__", False),
        ("dfrnet.recognizer", "from dfrnet import cli", True),
        ("dfrnet.types", "from dfrnet.frames import ImageFolder", True),
        ("dfrnet.cli", "from dfrnet.recognizer import train", False),
        ("dfrnet.methods.dfrnet", "from dfrnet.cli import app", True),
    ],
)
def test_the_check_itself(module, line, wrong):
    found = imported(ast.parse(line), module)
    assert found
    assert any(breaks(module, name) for name, _ in found) == wrong


@every_file
def test_every_module_has_its_place(path):
    assert part_of(module_of(path)) in LEVEL, "a new part of the package needs a layer here and in the design"
    assert not FORBIDDEN & set(module_of(path).split("."))


@every_file
def test_a_file_stays_readable(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@every_file
def test_a_file_says_what_it_is(path):
    if path.name != "__main__.py":
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@every_file
def test_nothing_is_unpickled_or_fetched(path):
    """No format that runs code when read, and no network."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        roots = {name.split(".")[0] for name in names}
        assert not roots & {"pickle", "shelve", "marshal", "requests", "urllib", "socket", "httpx", "wandb"}
    assert not unsafe_reads(tree, module_of(path))


def unsafe_reads(tree: ast.AST, module: str) -> list[str]:
    """Calls that unpickle. One module reads what others published, as tensors and nothing else."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            tensors_only = any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords)
            if called == "torch.load" and module == "dfrnet.evaluation.weights" and tensors_only:
                continue
            if called in {"torch.load", "joblib.load", "np.load", "numpy.load"}:
                found.append(f"line {node.lineno}: {called}")
        elif isinstance(node, ast.ImportFrom) and node.module in {"torch", "joblib", "numpy"}:
            found += [f"line {node.lineno}: {node.module}.load" for alias in node.names if alias.name == "load"]
    return found


@pytest.mark.parametrize(
    ("module", "line", "unsafe"),
    [
        ("dfrnet.evaluation.weights", "torch.load(p, weights_only=True)", False),
        ("dfrnet.evaluation.weights", "torch.load(p, map_location='cpu', weights_only=True)", False),
        ("dfrnet.evaluation.weights", "torch.load(p)", True),
        ("dfrnet.evaluation.weights", "torch.load(p, weights_only=False)", True),
        ("dfrnet.evaluation.weights", "torch.load(p, weights_only=safe)", True),
        ("dfrnet.evaluation.weights", "np.load(p, weights_only=True)", True),
        ("dfrnet.evaluation.weights", "from torch import load", True),
        ("dfrnet.recognizer", "torch.load(p, weights_only=True)", True),
        ("dfrnet.recognizer", "joblib.load(p)", True),
        ("dfrnet.recognizer", "json.load(p)", False),
    ],
)
def test_the_check_for_unpickling_itself(module, line, unsafe):
    assert bool(unsafe_reads(ast.parse(line), module)) == unsafe


@pytest.mark.parametrize("module", ["dfrnet", "dfrnet.types", "dfrnet.cli"])
def test_light_modules_import_nothing_heavy(python, module):
    heavy = ["torch", "sklearn", "scipy", "cv2", "matplotlib", "safetensors", "joblib"]
    done = python("-c", f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_help_imports_nothing_heavy(python):
    words = (
        "import sys\nsys.argv = ['dfrnet', '--help']\nfrom dfrnet import cli\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
    )
    done = python(
        "-c", words + "print([m for m in ('torch', 'sklearn', 'scipy', 'cv2', 'matplotlib') if m in sys.modules])"
    )
    assert done.stdout.strip().endswith("[]"), done.stderr
    assert "evaluate" in done.stdout
