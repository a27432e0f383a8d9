"""Typical wrong answers to chapter 9's exercises, and words of the diagnosis each should get."""

R2 = "def r_squared(read, truth):\n    "
ORDER = "def which_order(frames, drawn):\n    e = (frames - drawn).square().mean((-2, -1))\n    "
AUC = "def auc(scores, positive):\n    a, b = scores[positive][:, None], scores[~positive][None]\n    "

WRONG = {
    "9.1": [
        (
            R2 + "return 1 - (read - truth).square().sum(0) / (truth - truth.mean(0)).square().sum(0)",
            "one number a column",
        ),
        (
            R2 + "return (1 - (read - truth).square().sum() / (truth - truth.mean(0)).square().sum()).item()",
            "largest unit",
        ),
        (
            R2 + "return ((read - truth).square().sum(0) / (truth - truth.mean(0)).square().sum(0)).mean()",
            "left unexplained",
        ),
        (R2 + "return (1 - (read - truth).square().sum(0) / truth.square().sum(0)).mean()", "compared with 0"),
        (R2 + "return 1 - (read - truth).square().sum() / (truth - truth.mean()).square().sum()", "its own mean"),
        (R2 + "return (1 - (read - truth).square().mean(0) / read.var(0, correction=0)).mean()", "what was read"),
        (
            R2
            + "return torch.stack([torch.corrcoef(torch.stack([r, t]))[0, 1] ** 2 for r, t in zip(read.T, truth.T)]).mean()",
            "squared correlation",
        ),
        (R2 + "return (read - truth).square()", "shape (50, 3)"),
    ],
    "9.2": [
        (ORDER + "return e.argmin(0)", "anew for each frame"),
        (ORDER + "return e.mean((1, 2)).argmin()", "one order for all clips"),
        (ORDER + "return e.mean(2).argmax(0)", "fits worst"),
        (ORDER + "return e.mean(2).amin(0)", "argmin, not amin"),
        (ORDER + "return e[:, :, 0].argmin(0)", "first frame only"),
    ],
    "9.3": [
        (AUC + "return (a > b).float().mean()", "counted as lost"),
        (AUC + "return (a >= b).float().mean()", "counted as won"),
        (AUC + "return (a < b).double().mean() + (a == b).double().mean() / 2", "Turn it round"),
        (AUC + "return (a > b).double().sum() + (a == b).double().sum() / 2", "number of pairs won"),
        (
            "def auc(scores, positive): return ((scores > scores.median()) == positive).double().mean()",
            "accuracy at one threshold",
        ),
        (
            "def auc(scores, positive):\n    a, b = scores[:, None], scores[None]\n"
            "    return (a > b).double().mean() + (a == b).double().mean() / 2",
            "all steps with all steps",
        ),
    ],
}
