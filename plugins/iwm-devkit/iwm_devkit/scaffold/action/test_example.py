"""What every action must keep to, and what this one does."""

import torch

from iwm_devkit import check_action
from iwm_devkit.scaffold.action.example import Example


def test_contract() -> None:
    check_action(Example())


def test_light_doubles_every_colour_and_warmth_moves_red_against_blue() -> None:
    grey = torch.full((1, 3, 1, 1), 0.25)
    colours = {(1.0, 0.0): [0.5, 0.5, 0.5], (0.0, 1.0): [0.5, 0.25, 0.125], (2.0, 1.0): [1.0, 1.0, 0.5]}
    for params, expected in colours.items():
        assert Example().apply(grey, torch.tensor([params])).flatten().tolist() == expected
