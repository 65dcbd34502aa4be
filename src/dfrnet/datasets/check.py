"""The doctor: a licensed archive as it lies on disk, beside the published counts, with everything that is amiss."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfrnet.datasets import ARCHIVES, COMPOSITE, DATASETS, megc2019
from dfrnet.datasets.findings import SEVERITIES, UNUSABLE, Finding
from dfrnet.datasets.labels import official, three
from dfrnet.datasets.surveys import Survey, survey
from dfrnet.frames import ImageFolder
from dfrnet.parallel import in_parallel
from dfrnet.types import CLASSES, Clip, UserError, unknown_name


@dataclass(frozen=True)
class Report:
    """A survey after its frames were decoded: ``sizes`` counts clips by frame size, ``findings`` are of both passes."""

    survey: Survey
    usable: tuple[Clip, ...]
    findings: tuple[Finding, ...]
    sizes: dict[str, int]

    @property
    def unusable(self) -> tuple[Finding, ...]:
        """Why clips cannot be used."""
        return tuple(finding for finding in self.findings if finding.severity == UNUSABLE)


def check(
    name: str,
    root: Path,
    *,
    errata: bool = True,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Report]:
    """Survey the archive and decode every frame from onset to offset; a report for each data set (three for megc2019).

    UserError for a name that is no licensed archive, and where no sheet can be read at all.
    """
    if name == COMPOSITE:
        parts = megc2019.parts(root)
    elif name in ARCHIVES:
        parts = {name: root}
    elif name in DATASETS:
        raise UserError(f"{name}: no licensed archive, so that there is nothing to compare it with")
    else:
        raise unknown_name("archive", name, [*ARCHIVES, COMPOSITE])
    surveys = [survey(ARCHIVES[part], path, errata) for part, path in parts.items()]
    total, done, reports = sum(len(one.clips) for one in surveys), 0, []
    for one in surveys:
        seen = []
        for look in in_parallel(_look, one.clips, jobs=jobs):
            seen.append(look)
            done += 1
            if progress:
                progress(done, total)
        reports.append(_report(one, seen))
    return reports


@dataclass(frozen=True)
class _Look:
    size: str
    digest: str
    findings: tuple[Finding, ...]


def _look(clip: Clip) -> _Look:
    """Decode one clip's frames from onset to offset."""
    needed = set(range(clip.onset, clip.offset + 1)) if clip.apex is None else {clip.onset, clip.apex}
    sizes: dict[int, str] = {}
    digests: dict[str, int] = {}
    findings = []
    for position in range(clip.onset, clip.offset + 1):
        try:
            height, width = clip.frames[position].shape[:2]
        except UserError as error:
            kind = "undecodable" if position in needed else "damaged"
            findings.append(Finding(kind, clip.id, f"clip {clip.id}: {error}"))
            continue
        sizes[position] = f"{width}x{height}"
        if isinstance(clip.frames, ImageFolder):
            path = clip.frames.paths[position]
            digest = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
            if digest in digests:
                first = clip.frames.paths[digests[digest]]
                sentence = f"clip {clip.id}: {path} is the same file as {first.name}; compare with the archive"
                findings.append(Finding("duplicate_file", clip.id, sentence))
            digests.setdefault(digest, position)
    findings += _odd_sizes(clip, sizes, needed)
    whole = hashlib.blake2b("".join(digests).encode(), digest_size=16).hexdigest() if digests else ""
    return _Look(max(sizes.values(), key=list(sizes.values()).count, default=""), whole, tuple(findings))


def _odd_sizes(clip: Clip, sizes: dict[int, str], needed: set[int]) -> list[Finding]:
    """Frames of one clip must be of one size: those that its maps are made of, or it cannot be used."""
    if len(set(sizes.values())) < 2:
        return []
    listed = ", ".join(f"{count} of {size}" for size, count in Counter(sizes.values()).items())
    kind = "sizes" if len({size for position, size in sizes.items() if position in needed}) > 1 else "odd_size"
    return [Finding(kind, clip.id, f"clip {clip.id}: its frames differ in size ({listed}); restore them")]


def _report(found: Survey, looks: Sequence[_Look]) -> Report:
    findings = list(found.findings)
    first: dict[str, str] = {}
    for clip, look in zip(found.clips, looks, strict=True):
        findings += look.findings
        if look.digest and look.digest in first:
            sentence = f"clip {clip.id}: all its frames are those of {first[look.digest]}; compare with the archive"
            findings.append(Finding("duplicate_file", clip.id, sentence))
        first.setdefault(look.digest, clip.id)
    broken = {finding.clip for look in looks for finding in look.findings if finding.severity == UNUSABLE}
    sizes = Counter(look.size for look in looks if look.size)
    usable = tuple(clip for clip in found.clips if clip.id not in broken)
    return Report(found, usable, tuple(findings), dict(sizes.most_common()))


def as_dict(report: Report) -> dict[str, Any]:
    """What ``--format json`` prints of one data set."""
    found, archive = report.survey, report.survey.archive
    without_row = {finding.clip for finding in found.findings if finding.kind == "no_row"}
    rows = [row for row in found.annotations if found.sheet and row.id not in without_row]
    listed = {clip: label for clip, label in official().items() if clip.startswith(f"{archive.name}/")}
    usable = {clip.id for clip in report.usable}
    classes = Counter(three(clip) for clip in report.usable)
    return {
        "data": archive.name,
        "title": archive.title,
        "sheet": found.sheet.name if found.sheet else None,
        "tree": found.variant,
        "counts": {
            "clips": _counts(archive.published.rows, len(rows), len(report.usable)),
            "subjects": _counts(
                archive.published.subjects, len({row.subject for row in rows}),
                len({clip.subject for clip in report.usable}),
            ),
            "folders": found.folders,
        },
        "published_by": archive.published.source,
        "emotions": _table(
            archive.published.emotions, Counter(row.emotion for row in rows),
            Counter(clip.emotion for clip in report.usable),
        ),
        "three_classes": {
            label: {"published": Counter(listed.values())[label] if listed else None, "usable": classes[label]}
            for label in CLASSES
        },
        "listed_missing": [clip for clip in listed if clip not in usable],
        "by_subject": _table(
            Counter(row.subject for row in rows), Counter(clip.subject for clip in report.usable),
            Counter(clip.rsplit("/", 1)[0] for clip in listed),
            Counter(clip.rsplit("/", 1)[0] for clip in listed if clip in usable),
            heads=("sheet", "usable", "listed", "listed_usable"),
        ),
        "frame_sizes": report.sizes,
        "errata": [dataclasses.asdict(erratum) for erratum in found.errata],
        "findings": [
            {"kind": f.kind, "severity": f.severity, "clip": f.clip, "sentence": f.sentence} for f in report.findings
        ],
        "unusable": len({finding.clip for finding in report.unusable}),
    }  # fmt: skip


def _counts(published: int, sheet: int, usable: int) -> dict[str, int | None]:
    return {"published": published or None, "sheet": sheet, "usable": usable}


def _table(*columns: Any, heads: Sequence[str] = ("published", "sheet", "usable")) -> dict[str, dict[str, int]]:
    names = sorted({name for column in columns for name in column})
    return {name: {head: c.get(name, 0) for head, c in zip(heads, columns, strict=True)} for name in names}


def render(reports: Sequence[Report], form: str = "text", all_findings: bool = False) -> str:
    """The reports as ``text`` or ``json``; the text shows five findings of a kind unless asked for all."""
    if form == "json":
        return json.dumps({"reports": [as_dict(report) for report in reports]}, indent=1) + "\n"
    if form != "text":
        raise unknown_name("format", form, ("text", "json"))
    return "\n".join(_text(report, all_findings) for report in reports)


def _text(report: Report, all_findings: bool) -> str:
    facts = as_dict(report)
    clips, subjects, unusable = facts["counts"]["clips"], facts["counts"]["subjects"], facts["unusable"]
    sizes = [f"{size} ({count} clip{'s' if count != 1 else ''})" for size, count in facts["frame_sizes"].items()]
    lines = [
        f"{facts['title']} ({facts['data']})",
        f"  sheet   {facts['sheet'] or 'none; clips are taken from their folders'}",
        f"  frames  {', '.join([facts['tree'], *sizes]) if sizes else 'none that can be read'}",
        "",
        f"  {'':24}{'published':>10}{'sheet':>8}{'usable':>8}",
        _line("clips", clips),
        _line("subjects", subjects),
        f"  {'folders of frames':24}{'':>10}{facts['counts']['folders']:>8}",
    ]
    lines += ["", *(_line(emotion, counts) for emotion, counts in facts["emotions"].items())]
    lines += ["", *(_line(f"MEGC2019 {name}", counts) for name, counts in facts["three_classes"].items())]
    lines += _subjects(facts)
    lines += [f"  published: {facts['published_by']}; sheet: after the errata", ""]
    if missing := facts["listed_missing"]:
        shown = ", ".join(missing if all_findings else missing[:3]) + (
            "" if all_findings or len(missing) < 4 else ", ..."
        )
        lines.append(f"  {len(missing)} clips of MEGC2019's list are not usable here: {shown}")
    for erratum in report.survey.errata:
        lines.append(f"  erratum applied: {erratum} ({erratum.reason}; {erratum.source})")
    lines += _findings(report, all_findings)
    lines.append(
        f"  {unusable} clip{'s' if unusable != 1 else ''} cannot be used"
        if unusable
        else "  every annotated clip can be used"
    )
    return "\n".join(lines) + "\n"


def _line(name: str, counts: dict[str, int | None]) -> str:
    cells = ("" if counts.get(head, "") is None else counts.get(head, "") for head in ("published", "sheet", "usable"))
    return "  {:24}{:>10}{:>8}{:>8}".format(name, *cells).rstrip()


def _subjects(facts: dict[str, Any]) -> list[str]:
    heads = ("sheet", "usable", "listed", "listed_usable")
    listed = any(counts["listed"] for counts in facts["by_subject"].values())
    shown = heads if listed else heads[:2]
    titles = {"sheet": "sheet", "usable": "usable", "listed": "MEGC2019", "listed_usable": "usable"}
    lines = ["", f"  {'by subject':24}{'':>10}" + "".join(f"{titles[head]:>10}" for head in shown)]
    for name, counts in facts["by_subject"].items():
        lines.append(f"  {name.split('/', 1)[1]:24}{'':>10}" + "".join(f"{counts[head]:>10}" for head in shown))
    return lines


def _findings(report: Report, all_findings: bool) -> list[str]:
    by_kind: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    lines = []
    for kind in [kind for kind in SEVERITIES if kind in by_kind]:
        found = by_kind[kind]
        shown = found if all_findings or len(found) <= 5 else found[:5]
        lines.append(f"  {SEVERITIES[kind]}: {kind} ({len(found)})")
        lines += [f"    {finding.sentence}" for finding in shown]
        lines += [f"    ... and {len(found) - len(shown)} more; --all shows them"] if len(shown) < len(found) else []
    return lines
