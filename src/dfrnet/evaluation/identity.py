"""What makes a run this very run: its configuration, as ``run.json`` keeps it, and how two are told apart."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dfrnet.datasets import described
from dfrnet.evaluation.records import read_config, write_json
from dfrnet.features import FeatureSpec
from dfrnet.methods import Method, flat
from dfrnet.types import Clip, UserError

log = logging.getLogger(__name__)

IDENTITY = (
    "method", "settings", "features", "data", "errata", "clips_sha256", "classes", "protocol", "selection", "seeds",
    "audited",
)  # fmt: skip
"""What must agree for a run to be gone on with; versions are recorded beside it."""


class OtherRunError(UserError):
    """The folder holds something else than the run that was asked for."""


def config_of(
    method: Method,
    settings: Any,
    spec: FeatureSpec,
    clips: Sequence[Clip],
    data: Sequence[str],
    classes: tuple[str, ...],
    protocol: str,
    selection: str,
    seeds: Sequence[int],
    folds: int,
) -> dict[str, Any]:
    """What ``run.json`` holds when a run begins, but for its archives, errata and clips left out."""
    return {
        "method": method.name,
        "reference": method.reference,
        "data": [described(source) for source in data],
        "protocol": protocol,
        "selection": selection,
        "seeds": list(seeds),
        "classes": list(classes),
        "clips": len(clips),
        "subjects": len({clip.subject for clip in clips}),
        "folds": folds,
        "clips_sha256": clips_hash(clips),
        "features": _plain(dataclasses.asdict(spec)),
        "settings": recorded(settings),
        "versions": _versions(),
        "git_commit": _git_commit(),
    }


def clips_hash(clips: Sequence[Clip]) -> str:
    """SHA-256 of what is annotated of each clip: whether two runs are of the same data."""
    stamps = ((c.id, c.label, c.onset, c.apex, c.offset, c.fps, c.cropped, *c.action_units) for c in clips)
    listed = "\n".join("\t".join(map(str, stamp)) for stamp in sorted(stamps, key=lambda stamp: str(stamp[0])))
    return hashlib.sha256(listed.encode()).hexdigest()


def recorded(settings: Any) -> dict[str, Any]:
    """The settings as a record keeps them: of a file of weights its name and contents count, not where it lies."""
    values = flat(settings)
    if values.get("weights"):
        from dfrnet.networks.weights import described as described_weights

        values["weights"] = described_weights(Path(values["weights"]))
    return _plain(values)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def check_same(out: Path, config: dict[str, Any]) -> None:
    """UserError unless ``out`` is the folder of this very run, or of one that lacks but the last of its seeds.

    A seed's numbers do not depend on the others, so more of them can be added later; the record then names them.
    """
    old = read_config(out)
    had, audited = list(old["seeds"]), old.get("audited", old["seeds"])
    added = config["seeds"][: len(had)] == had and len(had) < len(config["seeds"])
    if added and [seed for seed in config.get("audited", config["seeds"]) if seed in had] == list(audited):
        more = {key: config[key] for key in ("seeds", "audited") if key in config}
        _compare_configs(out, {key: value for key, value in old.items() if key != "audited"} | more, config)
        write_json(out / "run.json", old | more)
    else:
        _compare_configs(out, old, config)
    if old.get("versions") != config["versions"]:
        log.warning("%s: was begun with other package versions; its record keeps naming those", out)


def _compare_configs(out: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    differences = []
    for key in IDENTITY:
        before, now = old.get(key, [] if key == "errata" else None), new.get(key)
        if before == now:
            continue
        if key == "clips_sha256":
            differences.append(
                f"the clips, their labels or frames differ ({old.get('clips')} then, {new['clips']} now)"
            )
        elif isinstance(before, dict):
            now = now or {}
            pairs = [(f"{name}", before.get(name), now.get(name)) for name in sorted({*before, *now})]
            differences += [f"{name} was {a} and is now {b}" for name, a, b in pairs if a != b]
        elif key == "seeds" and isinstance(before, list) and now and before[: len(now)] == now:
            differences.append(f"seeds was {before} and is now {now}; --seeds {len(before)} goes on with it")
        else:
            differences.append(f"{key} was {before} and is now {now}")
    if differences:
        raise OtherRunError(
            f"{out}: holds a run of another configuration ({'; '.join(differences)}); "
            "choose another --out, nothing was changed"
        )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("dfrnet", "numpy", "scikit-learn", "opencv-contrib-python-headless", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def _git_commit() -> str | None:
    """The commit of the source tree that runs, with + if it has changes; None outside a checkout."""
    here = Path(__file__).parent
    try:
        environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
        # First whether this very file belongs to the checkout around it: an installed package does not.
        tracked = ["ls-files", "--error-unmatch", Path(__file__).name]
        asked = [tracked, ["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--untracked-files=no", "."]]
        _, commit, changes = (
            subprocess.run(
                ["git", *words], cwd=here, env=environment, capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for words in asked
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changes else "")
