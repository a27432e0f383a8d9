"""Reading what a variable holds: a linear read-out, fitted on some clips and scored on others.

A linear read-out asks what is there in plain form; a network as read-out would answer for itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn

from srvp_lite.metrics.intervals import bootstrap


@dataclass(frozen=True)
class Readout:
    """An affine map, in float64: readout(X) = X @ weight + bias."""

    weight: Float[Tensor, "d m"]
    bias: Float[Tensor, " m"]

    def __call__(self, X: Num[Tensor, "n d"]) -> Float[Tensor, "n m"]:
        return X.double() @ self.weight + self.bias


def fit_readout(X: Num[Tensor, "n d"], Y: Num[Tensor, "n m"], ridge: float = 1.0) -> Readout:
    """The affine map from X to Y with the least squared error plus `ridge` times the squared weights.

    The columns of X are brought to mean 0 and standard deviation 1 first, so `ridge` weighs them alike and means as
    much as that many more clips; the bias is not weighed. 0 is plain least squares.
    """
    check_rows(X=X, Y=Y)
    if not ridge >= 0:
        raise ValueError(f"ridge must not be negative, got {ridge}")
    X, Y = X.double(), Y.double()
    mean, std = X.mean(dim=0), X.std(dim=0, correction=0)
    std = std.where(std > 0, 1.0)  # a constant column says nothing, and gets no weight
    Z, centred = (X - mean) / std, Y - Y.mean(dim=0)
    penalty = ridge**0.5 * torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
    # Ridge as ordinary least squares with one more row for each weight: no squared condition number.
    target = torch.cat([centred, centred.new_zeros(X.shape[1], Y.shape[1])])
    weight = torch.linalg.lstsq(torch.cat([Z, penalty]), target, driver="gelsd").solution / std[:, None]
    return Readout(weight, Y.mean(dim=0) - mean @ weight)


def r_squared(readout: Readout, X: Num[Tensor, "n d"], Y: Num[Tensor, "n m"]) -> float:
    """The share of the variance of Y that is read from X, averaged over the columns of Y, on clips not fitted.

    1 is perfect, 0 no better than the mean of these Y, negative worse. NaN where a column of Y does not vary.
    """
    check_rows(X=X, Y=Y)
    return explained(readout(X), Y.double())


def explained(read: Float[Tensor, "n m"], Y: Float[Tensor, "n m"]) -> float:
    """R^2 of what was read of Y, averaged over the columns."""
    rest, whole = (read - Y).square().sum(dim=0), (Y - Y.mean(dim=0)).square().sum(dim=0)
    return (1 - rest / whole).mean().item()


def read_identity(
    X_fit: Num[Tensor, "n_fit d"],
    labels_fit: Int[Tensor, "n_fit k"],
    X_new: Num[Tensor, "n_new d"],
    labels_new: Int[Tensor, "n_new k"],
    generator: torch.Generator | None = None,
) -> dict[str, float | dict[str, float]]:
    """Which k digits a clip shows, read from X by ten logistic regressions, one per digit, on standardised columns.

    Of the ten scores the k highest count as the answer; a clip's score is the share of its digits that are among them.
    `right`: the mean over the new clips, with its interval; and two levels of chance: `constant`, always answering
    with the k most frequent digits, and `shuffled`, a read-out fitted to the labels of other clips. `generator`, on a
    CPU, draws the interval and the shuffle; left out, they are the same at each call.
    """
    check_rows(X_fit=X_fit, labels_fit=labels_fit)
    check_rows(X_new=X_new, labels_new=labels_new)
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    k = labels_fit.shape[1]
    if generator is None:
        generator = torch.Generator().manual_seed(0)

    def share_right(scores: Tensor) -> Tensor:
        answers = scores.topk(k, dim=1).indices
        return (labels_new[:, :, None] == answers[:, None]).any(dim=-1).double().mean(dim=1)

    def scores(labels: Tensor) -> Tensor:
        shown = nn.functional.one_hot(labels, 10).amax(dim=1)
        reader = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(C=0.1, max_iter=1000)))
        reader.fit(X_fit.double().numpy(), shown.numpy())
        # Not decision_function: of a digit that no clip of the fit shows it is 0, above most scores of the others.
        return torch.from_numpy(reader.predict_proba(X_new.double().numpy()))

    frequency = labels_fit.flatten().bincount(minlength=10).expand(len(labels_new), -1)
    return {
        "right": bootstrap(lambda s: s.mean(), share_right(scores(labels_fit)), generator=generator),
        "constant": share_right(frequency).mean().item(),
        "shuffled": share_right(scores(labels_fit[torch.randperm(len(labels_fit), generator=generator)])).mean().item(),
    }


def check_rows(**tensors: Tensor) -> None:
    """All tensors must be (n, ...) with one row per clip."""
    if any(t.ndim != 2 for t in tensors.values()) or len({len(t) for t in tensors.values()}) != 1:
        shapes = ", ".join(f"{name} {tuple(t.shape)}" for name, t in tensors.items())
        raise ValueError(f"expected two dimensions, one row per clip, as many rows each; got {shapes}")
