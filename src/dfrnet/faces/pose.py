"""How a head is turned, from the mesh of its face."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dfrnet.types import Array

ACROSS = ((33, 263), (127, 356), (234, 454))
"""Pairs that lie level and equally deep in a face that looks at the camera: outer corners of the eyes, then temples."""

UPRIGHT = (10, 152)
"""Top of the forehead and chin: about equally deep in such a face."""


class Pose(NamedTuple):
    """Degrees, 0 for a face that looks straight at the camera.

    ``yaw`` above 0: the nose goes to the right of the picture; ``pitch`` above 0: it goes down; ``roll`` above 0: the
    face is turned clockwise, as the picture shows it.
    """

    yaw: float
    pitch: float
    roll: float


def head_pose(mesh: Array) -> Pose:
    """The pose of a mesh with depth (468, 3), see :func:`dfrnet.faces.mesh.mesh_3d`.

    Two lines of the head span its axes: across (the sum of ``ACROSS``) and upright. The turn is read as a yaw about
    the head's own upright axis, then a pitch, then a roll in the picture.
    Good to some degrees: the depth is a guess of the network's, and the open mouth lowers the chin.
    """
    left, right = (mesh[list(side)].astype(np.float64) for side in zip(*ACROSS, strict=True))
    across: npt.NDArray[np.float64] = (right - left).sum(0)
    down = mesh[UPRIGHT[1]].astype(np.float64) - mesh[UPRIGHT[0]]
    across /= np.linalg.norm(across) + 1e-9
    down -= across * (across @ down)
    down /= np.linalg.norm(down) + 1e-9
    # With the third, away from the camera, these are the columns of R = roll * pitch * yaw, turns about z, x and y.
    away_z = across[0] * down[1] - across[1] * down[0]
    pitch = np.arcsin(np.clip(down[2], -1, 1))
    yaw = np.arctan2(across[2], away_z)
    roll = np.arctan2(-down[0], down[1])
    return Pose(*(float(np.degrees(angle)) for angle in (yaw, pitch, roll)))
