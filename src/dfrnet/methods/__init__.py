"""One paper, one file. A new method is a file with a ``METHOD`` and one line here."""

from __future__ import annotations

from dfrnet.methods import constant, dfrnet, ststnet, svm_flow
from dfrnet.methods.method import Method, flat

METHODS: dict[str, Method] = {
    method.name: method for method in (dfrnet.METHOD, ststnet.METHOD, svm_flow.METHOD, constant.METHOD)
}

__all__ = ["METHODS", "Method", "flat"]
