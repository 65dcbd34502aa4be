"""One paper, one file. A new method is a file with a ``METHOD`` and one line here."""

from __future__ import annotations

from dfrnet.methods import (
    bi_woof,
    capsulenet,
    constant,
    dfrnet,
    featref,
    fgrl_auf,
    htnet,
    lbp_top,
    me_plan,
    off_apexnet,
    rcn_a,
    ststnet,
    svm_flow,
)
from dfrnet.methods.method import Method, flat

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        dfrnet.METHOD,
        lbp_top.METHOD,
        bi_woof.METHOD,
        off_apexnet.METHOD,
        capsulenet.METHOD,
        ststnet.METHOD,
        rcn_a.METHOD,
        fgrl_auf.METHOD,
        featref.METHOD,
        me_plan.METHOD,
        htnet.METHOD,
        svm_flow.METHOD,
        constant.METHOD,
    )
}

__all__ = ["METHODS", "Method", "flat"]
