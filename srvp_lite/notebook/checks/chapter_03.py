"""Checks of chapter 3: the residual rollout, gradients through time, the first move, the residual penalty."""

from __future__ import annotations

from collections.abc import Callable

import torch

from srvp_lite.notebook.checks.result import Diagnosis, as_tensor, close, exercise, returned, same_shape

__all__ = ["first_move", "gradients_through_time", "residual_penalty", "residual_rollout"]


@exercise("Right: every state is the one before plus its residual, and the first state is kept.")
def residual_rollout(answer: Callable) -> None:
    """`residual_rollout(f, y_1 (B, ny), z (B, T - 1, nz))`: states (B, T, ny) and residuals (B, T - 1, ny)."""
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(5, 3, generator=g) / 2
    y_1, z = torch.randn(2, 3, generator=g), torch.randn(2, 4, 2, generator=g)

    def f(pair):
        return torch.tanh(pair @ weight)

    def run(step, states=None):
        """A rollout in which `step` takes (y, t) to (next y, residual)."""
        states, residuals = [y_1], []
        for t in range(z.shape[1]):
            y, r = step(states[-1], t)
            states.append(y)
            residuals.append(r)
        return torch.stack(states, 1), torch.stack(residuals, 1)

    def add(y, t):
        r = f(torch.cat([y, z[:, t]], -1))
        return y + r, r

    expected_y, expected_r = run(add)
    before = y_1.clone()
    answered = returned(answer(f, y_1, z))
    if not torch.equal(y_1, before):
        y_1.copy_(before)
        raise Diagnosis(
            "Your rollout changes y_1 itself (an in-place += does that), so the first state of the output is lost. "
            "Write y = y + residual."
        )
    if isinstance(answered, torch.Tensor) or not isinstance(answered, (tuple, list)) or len(answered) != 2:
        raise Diagnosis("Return two tensors: the states (B, T, ny) and the residuals (B, T - 1, ny).")
    y, r = as_tensor(answered[0], "The first output, the states,"), as_tensor(answered[1], "The residuals")
    if tuple(y.shape) == (5, 2, 3):
        raise Diagnosis("Time comes first in your states, (T, B, ny): stack along dim=1, batch first.")
    if tuple(y.shape) == (2, 4, 3):
        if close(y, expected_y[:, 1:]):
            raise Diagnosis("The first state y_1 is missing: T - 1 steps join T states, so keep y_1 in the output.")
        raise Diagnosis("There are T - 1 steps and T states: begin the list of states with y_1.")
    same_shape(y, (2, 5, 3), "The tensor of states", "(B, T, ny), y_1 included")
    if not close(y[:, 0], y_1):
        raise Diagnosis("The first state of the output should be y_1 itself.")
    if close(y, run(lambda y, t: (f(torch.cat([y, z[:, t]], -1)),) * 2)[0]):
        raise Diagnosis("Each state is f(y, z) alone: that is the MLP transition. The residual one adds: y + f(y, z).")
    late = run(lambda y, t: (y + f(torch.cat([y, z[:, min(t + 1, 3)]], -1)), y))[0]
    early = run(lambda y, t: (y + f(torch.cat([y, z[:, t - 1]], -1)), y))[0]
    if close(y[:, :4], late[:, :4]) or close(y, early) or close(y[:, 2:4], early[:, 2:4]):
        raise Diagnosis(
            "The noise is off by one. z holds z_2, ..., z_T, so z[:, 0] drives y_1 to y_2, and z[:, i] drives "
            "y[:, i] to y[:, i + 1]."
        )
    if close(y[:, 1], expected_y[:, 1]) and close(y[:, 2], y_1 + f(torch.cat([y_1, z[:, 1]], -1))):
        raise Diagnosis("Every step starts from y_1. Each should start from the state before it: y[-1].")
    if close(y[:, 1], expected_y[:, 1]) and close(y[:, 2], expected_y[:, 1] + f(torch.cat([y_1, z[:, 1]], -1))):
        raise Diagnosis("Your f looks at y_1 in every step. Give it the latest state: f(y_t, z_{t+1}).")
    if close(y, run(lambda y, t: (y - f(torch.cat([y, z[:, t]], -1)), y))[0]):
        raise Diagnosis("The residual is subtracted; it should be added.")
    if not close(y, expected_y):
        raise Diagnosis(
            "The second state should be y_1 + f([y_1, z[:, 0]]), with y and z joined along the last dimension in this "
            f"order. In clip 0 it should be {rounded(expected_y[0, 1])} and is {rounded(y[0, 1])}."
        )
    if close(r[:, : y.shape[1]], y[:, : r.shape[1]]) or close(r, y[:, 1:]):
        raise Diagnosis("The second output holds states. The residuals are what is added, f(y, z), one per step.")
    same_shape(r, (2, 4, 3), "The tensor of residuals", "(B, T - 1, ny), one per step")
    if not close(r, expected_r):
        raise Diagnosis("The residuals should be the f(y, z) of each step: y[:, 1:] - y[:, :-1].")


def rounded(values: torch.Tensor) -> list[float]:
    return [round(v, 3) for v in values.tolist()]


@exercise("Right: one number per state, and the last one is 1, because y_T depends on itself alone.")
def gradients_through_time(answer: Callable) -> None:
    """`gradients_through_time(step, y_1 (B, ny), z (B, T - 1, nz), u (B, ny))`: norms of d(u . y_T) / dy_t, (T,)."""
    g = torch.Generator().manual_seed(0)
    a, b = 0.4 * torch.randn(3, 3, generator=g), torch.randn(2, 3, generator=g)
    y_1, z = torch.randn(4, 3, generator=g), torch.randn(4, 5, 2, generator=g)
    u = torch.nn.functional.normalize(torch.randn(4, 3, generator=g), dim=-1)

    def step(y, z_t):
        return y + torch.tanh(y @ a + z_t @ b)

    def gradients(direction):
        states = [y_1.clone().requires_grad_()]
        for z_t in z.unbind(1):
            states.append(step(states[-1], z_t))
        return torch.stack(torch.autograd.grad((direction * states[-1]).sum(), states))  # (T, B, ny)

    truth = gradients(u)
    expected = truth.norm(dim=-1).mean(1)
    try:
        norms = returned(answer(step, y_1.clone(), z, u))
    except RuntimeError as error:
        if "does not require grad" in str(error):
            raise Diagnosis(
                "Nothing in your graph asks for gradients. y_1 comes as plain data: begin with "
                "y_1.clone().requires_grad_(), and detach nothing on the way."
            ) from error
        if "not have been used" in str(error):
            raise Diagnosis(
                "One of the tensors you differentiate by is not on the way to y_T. Keep each state as step() returned "
                "it, and ask for the gradient with respect to that very tensor, not a copy or a slice of a stack."
            ) from error
        raise
    if isinstance(norms, (list, tuple)):
        norms = torch.stack([torch.as_tensor(n) for n in norms])
    norms = as_tensor(norms, "The result").detach()
    if norms.ndim == 0:
        raise Diagnosis("You return one number. One is wanted for each state y_1, ..., y_T, so T of them.")
    if tuple(norms.shape) in ((6, 4), (4, 6)):
        raise Diagnosis("You return one norm per clip and state. Average over the batch: the result is (T,).")
    if tuple(norms.shape) == (5,):
        raise Diagnosis("One state is missing: T - 1 steps join T states, and y_1 and y_T both count.")
    same_shape(norms, (6,), "The result", "(T,), one norm for each state")
    if close(norms, expected.flip(0)):
        raise Diagnosis("The order is turned: the first number belongs to y_1, the last to y_T.")
    if close(norms, truth.flatten(1).norm(dim=1)):
        raise Diagnosis("This is the norm over the whole batch. Take the norm of each clip's gradient, then the mean.")
    if close(norms, truth.square().sum(-1).mean(1)):
        raise Diagnosis("This is the squared norm; take its root, clip by clip, before the mean over the batch.")
    if close(norms, truth.mean(1).norm(dim=-1)):
        raise Diagnosis(
            "The gradients are averaged over clips before the norm, so they cancel. First the norm, then the mean."
        )
    if close(norms, truth.abs().sum(-1).mean(1)):
        raise Diagnosis("This sums absolute values; the norm meant here is the root of the sum of squares.")
    if close(norms, gradients(torch.ones_like(u)).norm(dim=-1).mean(1)):
        raise Diagnosis(
            "You differentiate the sum of y_T's coordinates. Differentiate (u * y_T).sum(), y_T seen along u."
        )
    if close(norms[-1], torch.tensor(1.0)) and not close(norms[0], expected[0]):
        raise Diagnosis(
            f"The last norm, 1, is right; the first should be {expected[0]:.3f} and is {norms[0]:.3f}. "
            "Is every state computed from the one before it, without detach?"
        )
    if not close(norms, expected):
        raise Diagnosis(f"The norms should be {rounded(expected)}; yours are {rounded(norms)}.")


@exercise("Right: g to the number of layers, one root of a half per ReLU, one root of the widths.")
def first_move(answer: Callable) -> None:
    """`first_move(gain, n_layers, n_y, n_h)`: how long f(y, z) is at first, relative to its input."""
    for gain, n_layers, n_y, n_h in [(1.41, 4, 16, 256), (1.2, 3, 20, 512), (0.7, 6, 8, 32)]:
        value = float(returned(answer(gain, n_layers, n_y, n_h)))
        relus, widths = 0.5 ** ((n_layers - 1) / 2), (n_y / n_h) ** 0.5
        expected = gain**n_layers * relus * widths
        mistakes = {
            gain * relus * widths: "The gain counts once per layer: all n_layers layers multiply the length by it.",
            gain**4 * 0.5**1.5 * widths: "This is right for four layers only. Let n_layers decide the powers.",
            expected * 0.5**0.5: "One ReLU too many: they stand between the layers, so there are n_layers - 1.",
            gain**n_layers
            * 0.5 ** (n_layers - 1)
            * widths: "A ReLU halves the *squared* length; the length shrinks by the root of a half.",
            gain**n_layers * relus: "The last layer is missing: it keeps n_y of n_h directions.",
            gain**n_layers * relus * n_y / n_h: "The share n_y / n_h is that of the *squared* length; take its root.",
            gain**n_layers
            * relus
            / widths: "The widths are upside down: the last layer drops directions, it adds none.",
            gain**n_layers * widths: "The ReLUs are missing: each leaves the root of a half of the length.",
        }
        if abs(value - expected) <= 1e-4 * expected:
            continue
        for wrong, diagnosis in mistakes.items():
            if abs(value - wrong) <= 1e-4 * wrong:
                raise Diagnosis(diagnosis)
        raise Diagnosis(
            f"With gain {gain}, {n_layers} layers and widths {n_y} and {n_h} the estimate is {expected:.4f}; "
            f"yours is {value:.4f}."
        )


@exercise("Right: the length of the path that the state travels, one number per clip.")
def residual_penalty(answer: Callable) -> None:
    """`residual_penalty(residuals (B, S, ny))`: for each clip the sum over steps of the norm of a residual, (B,)."""
    r = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    expected = r.norm(dim=-1).sum(1)
    penalty = as_tensor(answer(r), "The penalty")
    if penalty.ndim == 0 and close(penalty, expected.mean()):
        raise Diagnosis(
            "You average over the batch already. Return one number per clip, (B,); the loss averages later."
        )
    if penalty.ndim == 0:
        raise Diagnosis("You return one number for the whole batch; one per clip is wanted, (B,).")
    if tuple(penalty.shape) == (3, 5):
        raise Diagnosis("You return one norm per step, (B, S). Sum them over the steps.")
    if tuple(penalty.shape) == (3, 4):
        raise Diagnosis("The norm runs over the steps. It should run over the coordinates of y, the last dimension.")
    same_shape(penalty, (3,), "The penalty", "(B,), one number per clip")
    if close(penalty, r.square().sum((1, 2))):
        raise Diagnosis("This is the squared norm. The paper's penalty takes the norm itself, root included.")
    if close(penalty, r.norm(dim=1).sum(1)):
        raise Diagnosis(
            "The norm runs over the steps and the sum over the coordinates; it should be the other way round: the norm "
            "of each residual over the last dimension, then the sum over steps."
        )
    if close(penalty, r.norm(dim=-1).mean(1)):
        raise Diagnosis("This is the mean over the steps. The loss sums over time, like its other terms.")
    if close(penalty, r.flatten(1).norm(dim=1)):
        raise Diagnosis("One norm over all steps at once. Each residual has its own norm; then they are summed.")
    if close(penalty, r.abs().sum((1, 2))):
        raise Diagnosis("This sums absolute values. The norm of a residual is the root of the sum of its squares.")
    if close(penalty, r.sum(1).norm(dim=-1)):
        raise Diagnosis(
            "You sum the residuals first: moves there and back cancel. First the norm of each, then the sum."
        )
    if not close(penalty, expected):
        raise Diagnosis(f"The first clip's penalty should be {expected[0]:.3f} and is {penalty[0]:.3f}.")
