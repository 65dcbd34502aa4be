"""Where the 68 points lie in an aligned crop."""

from __future__ import annotations

import numpy as np

from dfrnet.types import Array

STIFF = (27, 33, 36, 39, 42, 45)
"""Landmarks that no expression moves much: the top of the nose's bridge, its base, the corners of the eyes. Brows,
lids, lips, nostrils and jaw move. The ridge and the tip of the nose stand out, and run ahead when the head turns."""

# fmt: off
TEMPLATE: Array = np.array([
    (0.159, 0.416), (0.163, 0.483), (0.176, 0.627), (0.198, 0.704), (0.230, 0.765), (0.269, 0.809), (0.358, 0.868),
    (0.443, 0.903), (0.500, 0.908), (0.557, 0.903), (0.642, 0.868), (0.731, 0.809), (0.770, 0.765), (0.802, 0.704),
    (0.824, 0.627), (0.837, 0.483), (0.841, 0.416),  # jaw
    (0.234, 0.337), (0.266, 0.311), (0.310, 0.296), (0.367, 0.298), (0.433, 0.306),
    (0.567, 0.306), (0.633, 0.298), (0.690, 0.296), (0.734, 0.311), (0.766, 0.337),  # brows
    (0.500, 0.394), (0.500, 0.474), (0.500, 0.544), (0.500, 0.586),
    (0.433, 0.626), (0.467, 0.640), (0.500, 0.642), (0.533, 0.640), (0.567, 0.626),  # nose
    (0.295, 0.406), (0.325, 0.387), (0.375, 0.384), (0.426, 0.420), (0.382, 0.429), (0.334, 0.426),
    (0.574, 0.420), (0.625, 0.384), (0.675, 0.387), (0.705, 0.406), (0.666, 0.426), (0.618, 0.429),  # eyes
    (0.378, 0.722), (0.430, 0.707), (0.466, 0.702), (0.500, 0.707), (0.534, 0.702), (0.570, 0.707), (0.622, 0.722),
    (0.565, 0.757), (0.534, 0.767), (0.500, 0.768), (0.466, 0.767), (0.435, 0.757),
    (0.392, 0.721), (0.473, 0.727), (0.500, 0.728), (0.527, 0.727), (0.608, 0.721),
    (0.529, 0.733), (0.500, 0.734), (0.471, 0.733),  # lips
], np.float32)
# fmt: on
"""The average face, float32 (68, 2): shares of the crop's side, from its corner; symmetrical about x = 0.5.

It is where MediaPipe's mesh sees the points of the synthetic faces, on average over 192 of them, so that those are left
as they are and other faces come to look like them.
"""
