"""The studies of the DFR-Net paper, row by row, and those beyond it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dfrnet.datasets.labels import CD6ME_UNITS
from dfrnet.evaluation.studies.plan import Entry, Study
from dfrnet.methods import METHODS

DFRNET = "dfrnet"


def variants(setting: str, values: Mapping[str, str] | Iterable[str], flow_instead: bool = True) -> tuple[Entry, ...]:
    """A row for each value of one of dfrnet's settings; a mapping gives the rows' labels."""
    named = values if isinstance(values, Mapping) else {value: value for value in values}
    return tuple(Entry(label, DFRNET, {setting: value}, flow_instead=flow_instead) for label, value in named.items())


METHOD_ROWS = tuple(Entry(name, name) for name in METHODS)
"""All methods as they are published; a new one joins by itself."""

INPUTS = {
    "flow": "flow",
    "flow + spatial": "flow+spatial",
    "flow + differential": "flow+differential",
    "spatial + differential": "spatial+differential",
    "all three": "all",
}

FUSION_ROWS = {
    "as printed": "paper", "sigmoid gate": "paper_sigmoid", "place": "place", "add": "add", "multiply": "multiply",
    "concatenate": "concat",
}  # fmt: skip

BACKBONE_ROWS = {
    "attention ResNet": "attention_resnet",
    "ResNet-18": "resnet18",
    "AlexNet": "alexnet",
    "VGG-11": "vgg11",
    "MobileNetV3-small": "mobilenet_v3_small",
    "EfficientNet-B0": "efficientnet_b0",
    "ViT": "vit",
    "Swin-T": "swin_t",
}

PROTOCOL_ROWS = {
    "composite, one subject left out (CDE)": "loso",
    "each set alone, one subject left out": "sde",
    "one set left out (HDE)": "hde",
    "five folds by subject": "kfold5",
}

DRAWN_SETS = ("easy", "default", "hard")

PAPER: tuple[Study, ...] = (
    Study("composition", "Table 1", "How many clips of each class does each data set hold?", (), ("composition",)),
    Study(
        "comparison", "Table 2", "How does DFR-Net compare with other methods under one protocol?",
        METHOD_ROWS, ("scores", "cost", "published", "differences"), DFRNET,
    ),
    Study(
        "significance", "t-tests of section 4.3", "Against which methods is the difference more than chance?",
        METHOD_ROWS, ("significance",), DFRNET,
    ),
    Study("confusion", "Fig. 6 and 7", "Which classes are taken for which?", (Entry(DFRNET, DFRNET),), ("confusion",)),
    Study(
        "features", "Table 3", "Which of the three inputs matter?",
        variants("inputs", INPUTS, flow_instead=False), reference="all three",
    ),
    Study(
        "fusion", "Table 4", "Which way of fusing the three is best?",
        variants("fusion", FUSION_ROWS, flow_instead=False), reference="as printed",
    ),
    Study(
        "backbone", "Table 5", "Which network should follow the fusion?",
        tuple(replace(row, changes={**row.changes, "average": "0"}) for row in variants("backbone", BACKBONE_ROWS)),
        reference="attention ResNet",
        note="All eight without the running average of weights (average=0), with which some learn little in so few "
        "steps; so this attention ResNet is not the plain row of other tables.",
    ),
    Study(
        "attention", "Tables 6 and 7", "What does attention add, and what does it cost?",
        variants("attention", ("none", "spatial", "channel", "both")), reference="both",
    ),
    Study(
        "depth", "Tables 8 and 9", "How many layers?",
        variants("layers", {"1 layer": "1", "2 layers": "2", "3 layers": "3", "4 layers": "4"}), reference="3 layers",
    ),
    Study(
        "convergence", "section 4.4", "When does training settle, and when would it be stopped?",
        (Entry(DFRNET, DFRNET),), ("convergence",),
    ),
)  # fmt: skip

BEYOND: tuple[Study, ...] = (
    Study(
        "protocols", "beyond the paper", "How much does the protocol change the score?",
        tuple(
            Entry(f"{method}: {label}", method, protocol=protocol)
            for method in (DFRNET, "svm_flow")
            for label, protocol in PROTOCOL_ROWS.items()
        ),
        ("scores",), drawn=DRAWN_SETS,
    ),
    Study(
        "cd6me", "beyond the paper", "Are action units recognised in a data set that was never trained on?",
        tuple(
            Entry(f"{method}: AU{unit}", method, protocol="hde", classes=f"AU{unit}")
            for method in ("svm_flow", DFRNET)
            for unit in CD6ME_UNITS
        ),
        ("units",), drawn=DRAWN_SETS,
    ),
)  # fmt: skip

QUICK: dict[str, dict[str, str]] = {
    "": {"epochs": "3", "batch_size": "16", "patience": "2", "warmup": "0", "average": "0"},
    DFRNET: {"size": "32", "widths": "16,32,64,128"},
    "capsulenet": {"size": "64"},
    "htnet": {"epochs": "1"},
    "me_plan": {"size": "28"},
}
"""Settings of a rehearsal, for every method that has them and for one: its numbers say nothing about a method."""
