"""What a method is, and how ``--set name=value`` changes its settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

from dfrnet.features import FeatureSpec
from dfrnet.types import Classifier, UserError, unknown_name


@dataclass(frozen=True)
class Method:
    """One paper, one file: inputs, classifier, settings, citation.

    ``settings`` is a frozen dataclass with the defaults; ``presets`` names others, such as the ``paper``'s own.
    ``inputs(settings)`` says which features it wants and ``build(settings, inputs, classes, seed)`` makes a fresh
    :class:`~dfrnet.types.Classifier` for them; ``inputs`` is passed on because ready-made maps may be smaller than
    the method's wish.
    """

    name: str
    reference: str
    settings: Any
    inputs: Callable[[Any], FeatureSpec]
    build: Callable[[Any, FeatureSpec, int, int], Classifier]
    presets: Mapping[str, Any] = field(default_factory=dict)
    network: Callable[[Any, FeatureSpec, int], Any] | None = None
    """(settings, inputs, classes) -> nn.Module, for methods that are networks: what ``cost`` measures."""
    differences: tuple[str, ...] = ()
    """Where this differs from what was published, a sentence each; tables of studies print them."""

    def configured(self, preset: str = "", changes: Mapping[str, str] | None = None) -> Any:
        """The settings after ``--preset`` and ``--set``; UserError for a wrong name or a value of the wrong type."""
        settings = self.settings
        if preset:
            if preset not in self.presets:
                raise unknown_name(f"preset of {self.name}", preset, self.presets or ("none: it has no presets",))
            settings = self.presets[preset]
        for name, value in (changes or {}).items():
            if name not in flat(settings):
                raise unknown_name(f"setting of {self.name}", name, flat(settings))
            settings = _with(settings, name, value)
        return settings


def flat(settings: Any) -> dict[str, Any]:
    """All settings by name, those of nested dataclasses (features, training) among them."""
    found: dict[str, Any] = {}
    for entry in dataclasses.fields(settings):
        value = getattr(settings, entry.name)
        found |= flat(value) if dataclasses.is_dataclass(value) else {entry.name: value}
    return found


def _with(settings: Any, name: str, text: str) -> Any:
    hints = get_type_hints(type(settings))
    for entry in dataclasses.fields(settings):
        value = getattr(settings, entry.name)
        if entry.name == name:
            return dataclasses.replace(settings, **{name: _parsed(name, text, hints[name])})
        if dataclasses.is_dataclass(value) and name in flat(value):
            return dataclasses.replace(settings, **{entry.name: _with(value, name, text)})
    raise KeyError(name)


def _parsed(name: str, text: str, kind: Any) -> Any:
    """``text`` as ``kind``: bool, int, float, str, a Literal, or a comma-separated tuple of one of them."""
    if get_origin(kind) is Literal:
        if text in get_args(kind):
            return text
        raise unknown_name(f"value for {name}", text, get_args(kind))
    if get_origin(kind) is tuple:
        return tuple(_parsed(name, part, get_args(kind)[0]) for part in text.split(",") if part)
    if kind is bool:
        if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        raise UserError(f"--set {name}={text}: write true or false")
    try:
        return kind(text)
    except ValueError:
        raise UserError(f"--set {name}={text}: that is not {_article(kind.__name__)}") from None


def _article(kind: str) -> str:
    return {"int": "a whole number", "float": "a number"}.get(kind, f"a {kind}")
