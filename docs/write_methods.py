"""Write docs/methods.md from METHODS: what each takes, how large it is, where it differs from its publication."""

from pathlib import Path

from dfrnet.methods import METHODS, Method, flat

OPENING = """# Methods

One file each in [src/dfrnet/methods](../src/dfrnet/methods), written from the papers and from what public code does; no
code was taken over. The defaults are the published settings as far as they are known; `--set NAME=VALUE` changes any.
No pre-trained weights are shipped or fetched: training starts at random, unless `--set weights=FILE` names ImageNet's
in safetensors form (capsulenet, dfrnet's [backbones](backbones.md)). A weight file is known in records by name and
hash.

Written by `python docs/write_methods.py`.

| Method | Reference | Looks at | Parameters | Trained for |
|---|---|---|--:|---|
"""


def row(method: Method) -> str:
    """One line of the table."""
    spec = method.inputs(method.settings)
    few = ", ".join(spec.maps[:3]) + (f" ... ({len(spec.maps)} maps)" if len(spec.maps) > 5 else "")
    looks = f"{few if len(spec.maps) > 5 else ', '.join(spec.maps)} at {spec.size}x{spec.size}"
    known = flat(method.settings)
    size = "-"
    if method.network is not None:
        import torch

        with torch.device("meta"):  # counted, not filled
            network = method.network(method.settings, spec, 3)
        size = f"{sum(p.numel() for p in network.parameters()):,}"
    trained = "-"
    if "epochs" in known:
        optimiser = f"{known['optimiser']} {known['learning_rate']:g}"
        trained = f"{known['epochs']} epochs, {optimiser}, batch {known['batch_size']}"
    return f"| `{method.name}` | {method.reference} | {looks} | {size} | {trained} |"


def differences(method: Method) -> str:
    """A section with a line for each difference."""
    return f"### {method.name}\n\n" + "\n".join(f"- {sentence}" for sentence in method.differences) + "\n"


def page() -> str:
    """The whole page."""
    table = "\n".join(row(method) for method in METHODS.values())
    sections = "\n".join(differences(method) for method in METHODS.values() if method.differences)
    return f"{OPENING}{table}\n\n## Where ours differ from what was published\n\n{sections}"


if __name__ == "__main__":
    Path(__file__).with_name("methods.md").write_text(page(), encoding="utf-8")
