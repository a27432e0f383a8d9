"""The plain multilayer perceptron behind q_y, p_z and f."""

from __future__ import annotations

from torch import nn


def mlp(n_in: int, n_hidden: int, n_out: int, n_layers: int) -> nn.Sequential:
    """`n_layers` linear layers, (..., n_in) -> (..., n_out), with a ReLU between each two and none at the end."""
    if n_layers < 1:
        raise ValueError(f"an MLP needs at least one layer, got n_layers={n_layers}")
    widths = [n_in] + [n_hidden] * (n_layers - 1) + [n_out]
    layers: list[nn.Module] = []
    for i, (width_in, width_out) in enumerate(zip(widths, widths[1:])):
        if i > 0:
            layers.append(nn.ReLU())
        layers.append(nn.Linear(width_in, width_out))
    return nn.Sequential(*layers)
