"""Typical wrong answers to chapter 3's exercises, and words of the diagnosis each should get."""

ROLLOUT = """
def residual_rollout(f, y_1, z):
    states, residuals = [y_1], []
    for z_t in z.unbind(1):
        r = f(torch.cat([states[-1], z_t], dim=-1))
        residuals.append(r)
        states.append(states[-1] + r)
    return torch.stack(states, dim=1), torch.stack(residuals, dim=1)
"""
GRADIENTS = """
def gradients_through_time(step, y_1, z, u):
    states = [y_1.clone().requires_grad_()]
    for z_t in z.unbind(dim=1):
        states.append(step(states[-1], z_t))
    gradients = torch.autograd.grad((u * states[-1]).sum(), states)
    return torch.stack([g.norm(dim=-1).mean() for g in gradients])
"""


def changed(code, old, new):
    assert old in code
    return code.replace(old, new)


WRONG = {
    "3.1": [
        (changed(ROLLOUT, "states[-1] + r", "r"), "that is the MLP transition"),
        (changed(ROLLOUT, "z.unbind(1)", "z.roll(-1, 1).unbind(1)"), "off by one"),
        (changed(ROLLOUT, "z.unbind(1)", "z.roll(1, 1).unbind(1)"), "off by one"),
        (changed(ROLLOUT, "for z_t in z.unbind(1):", "for t in range(z.shape[1]):\n        z_t = z[:, min(t + 1, z.shape[1] - 1)]"), "off by one"),
        (changed(ROLLOUT, "torch.stack(states, dim=1)", "torch.stack(states[1:], dim=1)"), "y_1 is missing"),
        (changed(ROLLOUT, "torch.stack(states, dim=1)", "torch.stack(states)"), "Time comes first"),
        (changed(ROLLOUT, "states[-1] + r", "states[-1] - r"), "subtracted"),
        (changed(ROLLOUT, "f(torch.cat([states[-1]", "f(torch.cat([y_1"), "looks at y_1 in every step"),
        (changed(ROLLOUT, "[states[-1], z_t]", "[z_t, states[-1]]"), "in this order"),
        (changed(ROLLOUT, "residuals.append(r)", "residuals.append(states[-1] + r)"), "holds states"),
        (changed(ROLLOUT, ", torch.stack(residuals, dim=1)", ""), "Return two tensors"),
        ("def residual_rollout(f, y_1, z):\n    y, states = y_1, [y_1]\n    for z_t in z.unbind(1):\n"
         "        y += f(torch.cat([y, z_t], -1))\n        states.append(y)\n    return torch.stack(states, 1), z", "changes y_1 itself"),
    ],
    "3.2": [
        (changed(GRADIENTS, ".clone().requires_grad_()", ""), "asks for gradients"),
        (changed(GRADIENTS, "return torch.stack([g.norm(dim=-1).mean() for g in gradients])", "return gradients[0].norm(dim=-1).mean()"), "one number"),
        (changed(GRADIENTS, "g.norm(dim=-1).mean()", "g.norm()"), "whole batch"),
        (changed(GRADIENTS, "g.norm(dim=-1).mean()", "g.norm(dim=-1)"), "one norm per clip"),
        (changed(GRADIENTS, "g.norm(dim=-1).mean()", "g.square().sum(-1).mean()"), "squared norm"),
        (changed(GRADIENTS, "g.norm(dim=-1).mean()", "g.mean(0).norm()"), "they cancel"),
        (changed(GRADIENTS, "for g in gradients", "for g in gradients[::-1]"), "order is turned"),
        (changed(GRADIENTS, "for g in gradients", "for g in gradients[:-1]"), "One state is missing"),
        (changed(GRADIENTS, "(u * states[-1]).sum()", "states[-1].sum()"), "along u"),
        (changed(GRADIENTS, "(u * states[-1]).sum(), states", "(u * torch.stack(states)[-1]).sum(), list(torch.stack(states))"), "not on the way"),
    ],
    "3.3": [
        ("def first_move(gain, n_layers, n_y, n_h): return gain * 0.5 ** ((n_layers - 1) / 2) * (n_y / n_h) ** 0.5", "once per layer"),
        ("def first_move(gain, n_layers, n_y, n_h): return gain**n_layers * 0.5 ** (n_layers / 2) * (n_y / n_h) ** 0.5", "One ReLU too many"),
        ("def first_move(gain, n_layers, n_y, n_h): return gain**n_layers * 0.5 ** ((n_layers - 1) / 2) * n_y / n_h", "take its root"),
        ("def first_move(gain, n_layers, n_y, n_h): return gain**n_layers * 0.5 ** ((n_layers - 1) / 2)", "last layer is missing"),
        ("def first_move(gain, n_layers, n_y, n_h): return gain**n_layers * 0.5 ** (n_layers - 1) * (n_y / n_h) ** 0.5", "*squared* length"),
        ("def first_move(gain, n_layers, n_y, n_h): return gain**4 * 0.5**1.5 * (n_y / n_h) ** 0.5", "four layers only"),
    ],
    "3.4": [
        ("def residual_penalty(r): return r.square().sum(dim=(1, 2))", "squared norm"),
        ("def residual_penalty(r): return r.norm(dim=1).sum(1)", "other way round"),
        ("def residual_penalty(r): return r.norm(dim=-1).mean(1)", "mean over the steps"),
        ("def residual_penalty(r): return r.norm(dim=-1).sum(1).mean()", "average over the batch"),
        ("def residual_penalty(r): return r.norm(dim=-1)", "Sum them over the steps"),
        ("def residual_penalty(r): return r.norm(dim=1)", "runs over the steps"),
        ("def residual_penalty(r): return r.flatten(1).norm(dim=1)", "over all steps at once"),
        ("def residual_penalty(r): return r.abs().sum((1, 2))", "absolute values"),
        ("def residual_penalty(r): return r.sum(1).norm(dim=-1)", "cancel"),
    ],
}  # fmt: skip
