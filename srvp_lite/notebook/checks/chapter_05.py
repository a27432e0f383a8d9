"""Checks of chapter 5: a step of the Kalman filter, q(y_1) from k encodings, a step of the LSTM, the KL per time step."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from srvp_lite.model.gaussian import Gaussian
from srvp_lite.notebook.checks.result import Diagnosis, as_tensor, close, exercise, returned, same_shape

__all__ = ["first_state_posterior", "kalman_step", "kl_per_step", "lstm_cell"]


@exercise(
    "Right. The gain decides how far the new frame may pull the guess, and the variance does not depend on x at all."
)
def kalman_step(answer: Callable) -> None:
    """`filter_step(mean, var, x, s, r)`: mean and variance of y_t given x_{1:t}, from those of y_{t-1} and x_t."""
    mean, var, x, s, r = 1.0, 0.5, 3.0, 0.7, 0.6
    try:
        new_mean, new_var = (float(v) for v in returned(answer(mean, var, x, s, r)))
    except (TypeError, ValueError) as error:
        raise Diagnosis(f"Return two numbers, the new mean and the new variance ({error}).") from error
    ahead = var + s**2
    gain = ahead / (ahead + r**2)

    def is_(value, other):
        return math.isclose(value, other, rel_tol=1e-5)

    if is_(new_mean, mean + gain * (x - mean)) and is_(new_var, (1 - gain) * ahead):
        return
    still = var / (var + r**2)
    if is_(new_mean, mean + still * (x - mean)):
        raise Diagnosis(
            "You update without predicting first: y moved by z before x was seen, so s**2 is to be added to the variance."
        )
    wrong = (var + s) / (var + s + r)
    if is_(new_mean, mean + wrong * (x - mean)):
        raise Diagnosis("s and r are standard deviations; variances add, so square them.")
    if is_(new_mean, mean + (1 - gain) * (x - mean)):
        raise Diagnosis(
            "Your gain is r**2 / (ahead + r**2): it trusts the frame most when the frame is noisiest. "
            "The predicted variance belongs above the bar."
        )
    if is_(new_mean, mean + gain * x):
        raise Diagnosis("The gain multiplies the surprise x - mean, not the frame x itself.")
    if not is_(new_mean, mean + gain * (x - mean)):
        raise Diagnosis(
            f"From mean {mean:g}, variance {var:g} and x = {x:g} with s = {s:g}, r = {r:g} the new mean should be "
            f"{mean + gain * (x - mean):.4f}; yours is {new_mean:.4f}."
        )
    if is_(new_var, (1 - gain) * var):
        raise Diagnosis(
            "The mean is right. The variance shrinks from the predicted one, var + s**2, not from the old one."
        )
    if is_(new_var, math.sqrt((1 - gain) * ahead)):
        raise Diagnosis("The mean is right. You return a standard deviation, where a variance is asked for.")
    raise Diagnosis(
        f"The mean is right. The variance should be (1 - gain) (var + s**2) = {(1 - gain) * ahead:.4f}; yours is {new_var:.4f}."
    )


@exercise("Right: the first k encodings in order, laid end to end, and a Gaussian at the end.")
def first_state_posterior(answer: Callable) -> None:
    """`first_state(h, network, k)`: the Gaussian q(y_1 | x_{1:k}) from encodings h (B, T, nhx)."""
    b, t, nhx, ny, k = 4, 7, 6, 3, 5
    g = torch.Generator().manual_seed(0)
    h, weight = torch.randn(b, t, nhx, generator=g), torch.randn(k * nhx, 2 * ny, generator=g) / 5
    first, last = h[:, :k], h[:, -k:]
    seen = []

    def network(v):
        seen.append(v)
        if v.ndim == 3:
            raise Diagnosis(
                f"The network reads one vector a clip; you hand it {tuple(v.shape)}. "
                f"Lay the {k} encodings end to end first: flatten(1) gives ({b}, {k * nhx})."
            )
        if tuple(v.shape) == (b, nhx):
            raise Diagnosis(
                "You average or add the encodings (or take a single one). Then their order is lost, and a clip played "
                "backwards would have the same first state. Keep all k, in order, one after the other."
            )
        if tuple(v.shape) == (b, t * nhx):
            raise Diagnosis(f"You use all {t} frames; q(y_1) may look at the first k = {k} only.")
        same_shape(v, (b, k * nhx), "What the network reads", "(B, k * nhx)")
        if close(v, last.flatten(1)):
            raise Diagnosis("These are the last k frames. The first state stands at the beginning: take h[:, :k].")
        if close(v, first.flip(1).flatten(1)):
            raise Diagnosis("The encodings are in reverse order: time should run forward.")
        if close(v, first.transpose(1, 2).flatten(1)):
            raise Diagnosis(
                "The encodings are interleaved, coordinate by coordinate: you swapped time and features before "
                "flattening. No information is lost, but the weights of the finished model expect frame after frame."
            )
        if not close(v, first.flatten(1)):
            raise Diagnosis("The network does not read the first k encodings, in order, laid end to end.")
        return v @ weight

    q = returned(answer(h, network, k))
    if not seen:
        raise Diagnosis("The network is never called: its output holds the means and the scales of y_1.")
    if not isinstance(q, Gaussian):
        raise Diagnosis(
            f"Return a Gaussian (Gaussian.from_raw turns 2 ny numbers into one); yours is a {type(q).__name__}."
        )
    expected = Gaussian.from_raw(first.flatten(1) @ weight)
    same_shape(q.mean, (b, ny), "The mean of q(y_1)", "(B, ny)")
    if not (close(q.mean, expected.mean) and close(q.std, expected.std)):
        raise Diagnosis(
            "The network reads the right thing, but the Gaussian differs from Gaussian.from_raw of its output."
        )


@exercise("Right: this is torch's cell, gate for gate.")
def lstm_cell(answer: Callable) -> None:
    """`lstm_step(x, h, c, w_ih, w_hh, b_ih, b_hh)`: the new h and c, (B, n) each, with torch's gates i, f, g, o."""
    b, n_in, n = 3, 4, 5
    torch_cell = nn.LSTMCell(n_in, n)
    g = torch.Generator().manual_seed(0)
    weights = [torch.randn(p.shape, generator=g) / 2 for p in torch_cell.parameters()]
    with torch.no_grad():
        for p, w in zip(torch_cell.parameters(), weights):
            p.copy_(w)
        x, h, c = (torch.randn(b, m, generator=g) for m in (n_in, n, n))
        expected_h, expected_c = torch_cell(x, (h, c))
    w_ih, w_hh, b_ih, b_hh = weights
    try:
        new = returned(answer(x, h, c, w_ih, w_hh, b_ih, b_hh))
    except NotImplementedError:  # a stub; Python counts it among the RuntimeErrors
        raise
    except RuntimeError as error:
        raise Diagnosis(
            f"The shapes do not fit ({error}). Inputs are rows, x (B, n_in), and w_ih is (4 n, n_in): their product is "
            "x @ w_ih.T, (B, 4 n), one quarter for each gate. The same for h and w_hh."
        ) from error
    if not isinstance(new, (tuple, list)) or len(new) != 2:
        raise Diagnosis("Return two tensors, the new h and the new c.")
    new_h, new_c = as_tensor(new[0], "The new h"), as_tensor(new[1], "The new c")
    same_shape(new_h, (b, n), "The new h", "(B, n), like the old one")
    same_shape(new_c, (b, n), "The new c", "(B, n), like the old one")
    if close(new_h, expected_h) and close(new_c, expected_c):
        return
    if close(new_h, expected_c) and close(new_c, expected_h):
        raise Diagnosis("Both are right and in the wrong order: return h first, then c.")

    raw = x @ w_ih.T + b_ih + h @ w_hh.T + b_hh
    sigmoid, tanh = torch.sigmoid, torch.tanh
    i, f, candidate, o = raw.chunk(4, dim=-1)
    if close(new_c, expected_c):
        if close(new_h, sigmoid(o) * expected_c):
            raise Diagnosis("c is right. h = sigmoid(o) * tanh(c): you left out the tanh on the cell.")
        if close(new_h, sigmoid(o) * tanh(c)):
            raise Diagnosis("c is right. h reads the new cell, and yours reads the old one.")
        if close(new_h, tanh(o) * tanh(expected_c)):
            raise Diagnosis("c is right. The output gate o goes through a sigmoid, not a tanh.")
        raise Diagnosis("c is right, h is not: h = sigmoid(o) * tanh(c), with the new c.")
    if close(new_c, sigmoid(f) * c + sigmoid(i) * sigmoid(candidate)):
        raise Diagnosis(
            "Your candidate g goes through a sigmoid. It needs a tanh: a cell must be able to go down as well as up."
        )
    if close(new_c, sigmoid(i) * c + sigmoid(f) * tanh(candidate)):
        raise Diagnosis(
            "Input and forget gate are swapped. In torch the order is i, f, g, o: f multiplies the old cell, i the candidate."
        )
    for order in ("f i g o", "i f o g", "i g f o", "i o f g", "o f g i", "f o i g", "g i f o"):
        parts = dict(zip(order.split(), raw.chunk(4, dim=-1)))
        if close(new_c, sigmoid(parts["f"]) * c + sigmoid(parts["i"]) * tanh(parts["g"])):
            raise Diagnosis(f"You split the gates in the order {order}; torch's order is i f g o.")
    if close(new_c, sigmoid(i) * tanh(candidate)):
        raise Diagnosis("The old cell is forgotten at once: f * c is missing, and with it the memory.")
    if close(new_c, c + sigmoid(i) * tanh(candidate)):
        raise Diagnosis("The old cell is kept whole: multiply it by sigmoid(f).")
    without_h = (x @ w_ih.T + b_ih).chunk(4, dim=-1)
    if close(new_c, sigmoid(without_h[1]) * c + sigmoid(without_h[0]) * tanh(without_h[2])):
        raise Diagnosis("The gates should also see the last h, through w_hh and b_hh.")
    raise Diagnosis(
        "c should be sigmoid(f) * c + sigmoid(i) * tanh(g), with i, f, g, o from the sum of both linear maps."
    )


@exercise("Right: one number a clip and step, in nats, at the right index.")
def kl_per_step(answer: Callable) -> None:
    """`kl_per_step(q_z, y, prior)`: KL(q(z_t) || p(z_t | y_{t-1})) of each step, (B, T - 1)."""
    b, t, n = 3, 6, 4
    g = torch.Generator().manual_seed(0)
    y, map_ = torch.randn(b, t, n, generator=g), torch.randn(n, 2 * n, generator=g) / 3

    def prior(states):
        return Gaussian.from_raw(states @ map_)

    q = Gaussian.from_raw(torch.randn(b, t - 1, 2 * n, generator=g))
    try:
        value = as_tensor(answer(q, y, prior), "The KL")
    except NotImplementedError:  # a stub; Python counts it among the RuntimeErrors
        raise
    except RuntimeError as error:
        raise Diagnosis(
            f"The shapes do not fit ({error}). There are T states and T - 1 steps between them: the prior of a step looks "
            "at the state before it, so leave out the last one."
        ) from error
    p = prior(y[:, :-1])
    right = q.kl(p)
    if value.ndim == 0:
        raise Diagnosis("You return one number for the whole batch. Keep clips and steps apart: sum over dim=-1 only.")
    if tuple(value.shape) == (b, t - 1, n):
        raise Diagnosis(
            "You return one number per coordinate of z. The coordinates are independent, so their KLs add up."
        )
    if tuple(value.shape) == (b,):
        raise Diagnosis("You return one number a clip: the sum over time hides at which step the surprise came.")
    same_shape(value, (b, t - 1), "The KL", "(B, T - 1), one number per clip and step")
    if close(value, right.sum(-1)):
        return
    if close(value, right.mean(-1)):
        raise Diagnosis(
            "You average over the coordinates of z. Their KLs add up: independent surprises in nats are summed."
        )
    if close(value, p.kl(q).sum(-1)) or close(value, p.kl(q).mean(-1)):
        raise Diagnosis("The direction is turned: this is KL(p || q). The ELBO has KL(q || p), an expectation under q.")
    if close(value, q.kl(prior(y[:, 1:])).sum(-1)):
        raise Diagnosis(
            "Off by one: you compare q(z_t) with the prior at y_t. z_t leads from y_{t-1} to y_t, so its prior looks at "
            "y_{t-1}, which is y[:, :-1]."
        )
    if close(value, q.kl(Gaussian.standard(q.mean)).sum(-1)):
        raise Diagnosis(
            "You compare with N(0, I). The prior of z_t is learned and looks at the state: prior(y[:, :-1])."
        )
    raise Diagnosis(f"The first entry should be {right[0, 0].sum():.4f} nats and is {value[0, 0]:.4f}.")
