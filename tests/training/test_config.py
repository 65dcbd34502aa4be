import dataclasses

import pytest

from dfrnet.training import TrainingConfig
from dfrnet.types import UserError


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("batch_size", 1), ("learning_rate", 0), ("learning_rate", float("nan")), ("weight_decay", -1),
     ("label_smoothing", 1.5), ("mixup", -0.1), ("average", 1.0), ("shift", -0.1), ("zoom", 1.0), ("crop", 1.0),
     ("held_out", 0.0), ("held_out", 1.0), ("patience", 0), ("threads", 0), ("warmup", -1), ("rotate", -5)],
)  # fmt: skip
def test_a_value_out_of_range_is_named(name, value):
    with pytest.raises(UserError, match=f"{name}={value} is out of range"):
        TrainingConfig(**{name: value})


def test_settings_are_frozen_and_comparable():
    assert TrainingConfig() == TrainingConfig()
    assert hash(TrainingConfig(epochs=3)) != hash(TrainingConfig(epochs=4))
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainingConfig().epochs = 3
