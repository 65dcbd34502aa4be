"""Scores that others printed for the 442 clips of MEGC2019, each with its source.

Only figures that were read in a paper, in released code or in a table are here, none from memory, and none of DFR-Net:
its tables are pictures and were not available. FGRL-AUF's were met only second hand and are not printed. The papers ran
their own features and often chose the epoch on the test subject, so these stand beside our rows, never among them.
"""

from __future__ import annotations

from dataclasses import dataclass

LAST, TEST, UNKNOWN, NONE = "last or fixed", "on the TEST subject", "not known", "no epochs"
"""How the released code chooses the epoch."""

STSTNET = "table in Liong et al., arXiv:1902.03634"
HTNET = "picture of results in the repository of HTNet"


@dataclass(frozen=True)
class Published:
    """UF1 and UAR by data subset, where they were read, and how the epoch was chosen."""

    scores: dict[str, tuple[float, float]]
    source: str
    epoch: str = UNKNOWN


def _scores(*pairs: tuple[float, float]) -> dict[str, tuple[float, float]]:
    """In the order full, SMIC, CASME II, SAMM."""
    return dict(zip(("full", "smic", "casme2", "samm"), pairs, strict=True))


PUBLISHED: dict[str, Published] = {
    "lbp_top": Published(
        _scores((0.5882, 0.5785), (0.2000, 0.5280), (0.7026, 0.7429), (0.3954, 0.4102)),
        "See et al., MEGC 2019, the challenge's baseline", NONE,
    ),
    "bi_woof": Published(
        _scores((0.6296, 0.6227), (0.5727, 0.5829), (0.7805, 0.8026), (0.5211, 0.5139)), STSTNET, NONE,
    ),
    "off_apexnet": Published(
        _scores((0.7196, 0.7096), (0.6817, 0.6695), (0.8764, 0.8681), (0.5409, 0.5392)), STSTNET,
    ),
    "capsulenet": Published(
        _scores((0.6520, 0.6506), (0.5820, 0.5877), (0.7068, 0.7018), (0.6209, 0.5989)), STSTNET, TEST,
    ),
    "ststnet": Published(
        _scores((0.7353, 0.7605), (0.6801, 0.7013), (0.8382, 0.8686), (0.6588, 0.6810)), STSTNET, LAST,
    ),
    "rcn_a": Published(
        _scores((0.7432, 0.7190), (0.6326, 0.6441), (0.8512, 0.8123), (0.7601, 0.6715)), HTNET, LAST,
    ),
    "featref": Published(
        _scores((0.7838, 0.7832), (0.7011, 0.7083), (0.8915, 0.8873), (0.7372, 0.7155)), HTNET,
    ),
    "me_plan": Published(
        {"smic": (0.713, 0.726), "casme2": (0.863, 0.878), "samm": (0.716, 0.742)},
        "table in the repository of a dual-branch 3D network; the composite was not read",
    ),
    "htnet": Published(
        _scores((0.8603, 0.8475), (0.8049, 0.7905), (0.9532, 0.9516), (0.8131, 0.8124)),
        "Wang et al., arXiv:2307.14637", TEST,
    ),
}  # fmt: skip

HONEST: dict[str, tuple[Published, ...]] = {
    "ststnet": (
        Published({"full": (0.7209, 0.7250)}, "log of the authors' PyTorch port", LAST),
        Published(
            {"full": (0.7127, float("nan")), "smic": (0.7139, float("nan")), "casme2": (0.7036, float("nan")),
             "samm": (0.6619, float("nan"))},
            "Varanka et al., MEB, arXiv:2211.11425, notebook of Table 3", LAST,
        ),
    ),
    "off_apexnet": (
        Published(
            {"full": (0.7032, float("nan")), "smic": (0.6832, float("nan")), "casme2": (0.7744, float("nan")),
             "samm": (0.6052, float("nan"))},
            "Varanka et al., MEB, arXiv:2211.11425, notebook of Table 3", LAST,
        ),
    ),
    "htnet": (
        Published({"full": (0.648, 0.646)}, "a user in issue 21 of the authors' repository", LAST),
        Published({"full": (0.655, 0.652)}, "another user in the same issue", LAST),
    ),
}  # fmt: skip
"""Later runs by others without a choice on the test subject; NaN where no UAR was given."""
