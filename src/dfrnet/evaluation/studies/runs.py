"""The rows of studies, run: every distinct setting once, however many studies show it."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfrnet.datasets import Loaded, load, synthetic
from dfrnet.datasets.labels import labelled
from dfrnet.evaluation.cost import Cost, measure
from dfrnet.evaluation.identity import OtherRunError
from dfrnet.evaluation.records import Run, read_json, write_json
from dfrnet.evaluation.run import evaluate
from dfrnet.evaluation.studies.apex import renamed
from dfrnet.evaluation.studies.paper import QUICK
from dfrnet.evaluation.studies.plan import Entry, Options, Study
from dfrnet.features import FeatureSpec, fitted_spec
from dfrnet.methods import METHODS, Method, flat
from dfrnet.types import BrokenError, Clip, UserError

Tell = Callable[[str], None]
Progress = Callable[[int, int], None] | None

QUICK_CLIPS, QUICK_SUBJECTS, QUICK_SUBJECTS_EACH = 8, 5, 3
"""Of a rehearsal: clips of each subject, subjects of a single data set, and of each of several."""


OWN = ("seeds", "audit_seeds", "selection")
"""Options that one method may have of its own."""

DRAWN_SUBJECTS = 12
"""People in each of the drawn sets that stand for several data sets."""


@dataclass(frozen=True)
class Material:
    """Where the clips of a study come from: ``sources`` as ``--data`` names them."""

    sources: tuple[str, ...]
    errata: bool = True
    quick: bool = False

    def clips(self, study: Study, classes: str = "") -> Loaded:
        """The clips for one study, with the class scheme of a row; fewer of them for a rehearsal."""
        if study.drawn and all(source.partition("=")[0] == "synthetic" for source in self.sources):
            # Drawn faces are one set; three difficulties, renamed, stand for three sets of different people.
            loaded = _drawn_sets(study.drawn, classes or "three")
        else:
            loaded = load(self.sources, classes or "three", self.errata)
        return dataclasses.replace(loaded, clips=_few(loaded.clips)) if self.quick else loaded


@dataclass(frozen=True)
class Result:
    """A finished row: its run, its cost, and the clips that it was run on."""

    entry: Entry
    run: Run
    cost: Cost
    clips: tuple[Clip, ...]


@dataclass(frozen=True)
class Outcome:
    """Of one study: the finished rows, and why others could not be run, by label."""

    study: Study
    loaded: Loaded
    results: tuple[Result, ...]
    left_out: Mapping[str, str]


def run_study(
    study: Study,
    material: Material,
    options: Options,
    tell: Tell = lambda line: None,  # noqa: ARG005
    progress: Progress = None,
    extracting: Progress = None,
) -> Outcome:
    """Run what is missing of the study's rows into ``options.out/runs``.

    A row that this data cannot give (no frames for its inputs, one data set where two are needed, an optional package
    that is not there) is left out with its reason, never silently. UserError if a folder of runs holds one of another
    configuration, or if something outside is broken.
    """
    entries = _chosen(study, options)
    results, left_out = [], {}
    loaded = material.clips(study)
    for position, entry in enumerate(entries, start=1):
        tell(f"{study.name}, {position} of {len(entries)}: {entry.label}")
        try:
            own = material.clips(study, entry.classes) if entry.classes else loaded
            results.append(_run_entry(entry, own, options, progress, extracting))
        except (OtherRunError, BrokenError):
            raise  # not the row's fault: the next would meet it too
        except UserError as error:
            left_out[entry.label] = str(error)
        except ModuleNotFoundError as error:
            left_out[entry.label] = f"it needs the package {error.name}, which is not installed"
    return Outcome(study, loaded, tuple(results), left_out)


def _chosen(study: Study, options: Options) -> list[Entry]:
    return [
        entry for entry in study.entries
        if not options.only or entry.label in options.only or entry.method in options.only
    ]  # fmt: skip


def _run_entry(entry: Entry, loaded: Loaded, options: Options, progress: Progress, extracting: Progress) -> Result:
    method = METHODS[entry.method]
    settings, spec = settled(entry, loaded.clips, options)
    own = options.own.get(entry.method, {})
    seeds, audits, selection = (own.get(name) or getattr(options, name) for name in OWN)
    folder = options.out / "runs" / run_name(entry, method, settings, loaded.clips, options)
    run = evaluate(
        method, loaded.clips, folder, settings=settings, **loaded.record, protocol=entry.protocol,
        selection=str(selection), seeds=range(int(seeds)), audit_seeds=int(audits) if audits else None,
        jobs=options.jobs, cache=options.cache, progress=progress, extracting=extracting,
    )  # fmt: skip
    cost = _cost(method, settings, spec, len(loaded.classes), folder / "cost.json", options.repeats)
    return Result(entry, run, cost, loaded.clips)


def settled(entry: Entry, clips: Sequence[Clip], options: Options) -> tuple[Any, FeatureSpec]:
    """The row's settings and features on these clips; UserError where the clips lack what the method looks at."""
    method = METHODS[entry.method]
    settings = method.configured("", _changes(entry, method, options))
    spec = fitted_spec(clips, method.inputs(settings))
    if not lacking(clips, spec):
        return settings, spec
    if method.name == "dfrnet" and entry.flow_instead:
        settings = method.configured("", {"inputs": "flow", **_changes(entry, method, options)})
        spec = fitted_spec(clips, method.inputs(settings))
    if missing := lacking(clips, spec):
        few = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
        raise UserError(f"the clips are ready-made motion maps without {few}; it needs frames")
    return settings, spec


def lacking(clips: Sequence[Clip], spec: FeatureSpec) -> list[str]:
    """The maps that a clip without frames does not have."""
    return [name for name in spec.maps if any(not len(clip.frames) and name not in clip.maps for clip in clips)]


def _changes(entry: Entry, method: Method, options: Options) -> dict[str, str]:
    """A rehearsal's settings, then the user's, then what the row is about: the later ones win."""
    known = flat(method.settings)
    quick = {**QUICK[""], **QUICK.get(method.name, {})} if options.quick else {}
    given = {name: value for name, value in {**quick, **options.changes}.items() if name in known}
    own = {k: v for k, v in options.own.get(method.name, {}).items() if k not in OWN}
    return {**given, **own, **entry.changes}


def run_name(entry: Entry, method: Method, settings: Any, clips: Sequence[Clip], options: Options) -> str:
    """The run's folder: the method and what sets this row apart from its plain row on the same clips."""
    plain = flat(settled(Entry(method.name, method.name), clips, options)[0])
    apart = [f"{name}={_word(value)}" for name, value in flat(settings).items() if value != plain[name]]
    apart += [entry.protocol] if entry.protocol != "loso" else []
    apart += [entry.classes] if entry.classes else []
    sets = sorted({clip.dataset for clip in clips})
    # The drawn sets that stand for several are other clips under the same protocol.
    apart += ["drawn-sets"] if len(sets) > 1 and all(name.startswith("synthetic") for name in sets) else []
    return "-".join([method.name, *apart]).replace("/", "_")


def _word(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _cost(method: Method, settings: Any, spec: FeatureSpec, classes: int, path: Path, repeats: int) -> Cost:
    """Measured once, in the same run, while no fold is at work; kept beside the run."""
    if path.exists():
        kept = {field.name for field in dataclasses.fields(Cost)}
        found = {name: value for name, value in read_json(path).items() if name in kept}
        return Cost(**{**found, "input": tuple(found["input"])})
    cost = measure(method, settings, repeats=repeats, spec=spec, classes=classes)
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "repeats": repeats}
    write_json(path, json.loads(json.dumps(dataclasses.asdict(cost) | machine)))
    return cost


def _drawn_sets(difficulties: Sequence[str], classes: str) -> Loaded:
    """A data set for each difficulty, each with people of its own."""
    clips = [
        renamed(clip, f"synthetic_{name}")
        for seed, name in enumerate(difficulties)
        for clip in synthetic.load(name, subjects=DRAWN_SUBJECTS, seed=seed)
    ]
    clips, named, _ = labelled(clips, classes, {})  # whoever is in none of the classes is left out by choice
    return Loaded(tuple(clips), tuple(f"synthetic={name}" for name in difficulties), named)


def _few(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """The first clips of the first subjects of each data set."""
    sets: dict[str, dict[str, list[Clip]]] = {}
    for clip in clips:
        sets.setdefault(clip.dataset, {}).setdefault(clip.subject, []).append(clip)
    subjects = QUICK_SUBJECTS if len(sets) == 1 else QUICK_SUBJECTS_EACH
    return tuple(
        clip for people in sets.values() for owned in list(people.values())[:subjects] for clip in owned[:QUICK_CLIPS]
    )
