"""Typical wrong answers to chapter 5's exercises, and words of the diagnosis each should get."""

LSTM = """
def lstm_step(x, h, c, w_ih, w_hh, b_ih, b_hh):
    {order} = (x @ w_ih.mT + b_ih + h @ w_hh.mT + b_hh).chunk(4, dim=-1)
    c_new = {c}
    return {h}
"""
C, H = "f.sigmoid() * c + i.sigmoid() * g.tanh()", "o.sigmoid() * c_new.tanh(), c_new"


def lstm(order="i, f, g, o", c=C, h=H):
    return LSTM.format(order=order, c=c, h=h)


WRONG = {
    "5.1": [
        ("def filter_step(m, v, x, s, r):\n    k = v / (v + r**2)\n    return m + k * (x - m), (1 - k) * v", "without predicting first"),
        ("def filter_step(m, v, x, s, r):\n    v = v + s\n    k = v / (v + r)\n    return m + k * (x - m), (1 - k) * v", "standard deviations"),
        ("def filter_step(m, v, x, s, r):\n    v = v + s**2\n    k = r**2 / (v + r**2)\n    return m + k * (x - m), (1 - k) * v", "above the bar"),
        ("def filter_step(m, v, x, s, r):\n    k = (v + s**2) / (v + s**2 + r**2)\n    return m + k * x, (1 - k) * (v + s**2)", "the surprise x - mean"),
        ("def filter_step(m, v, x, s, r):\n    k = (v + s**2) / (v + s**2 + r**2)\n    return m + k * (x - m), (1 - k) * v", "not from the old one"),
        ("def filter_step(m, v, x, s, r): return m", "Return two numbers"),
    ],
    "5.2": [
        ("def first_state(h, network, k): return Gaussian.from_raw(network(h[:, :k]))", "Lay the 5 encodings end to end"),
        ("def first_state(h, network, k): return Gaussian.from_raw(network(h[:, :k].mean(1)))", "their order is lost"),
        ("def first_state(h, network, k): return Gaussian.from_raw(network(h[:, -k:].flatten(1)))", "the last k frames"),
        ("def first_state(h, network, k): return Gaussian.from_raw(network(h.flatten(1)))", "You use all 7 frames"),
        ("def first_state(h, network, k): return Gaussian.from_raw(network(h[:, :k].transpose(1, 2).flatten(1)))", "interleaved"),
        ("def first_state(h, network, k): return network(h[:, :k].flatten(1))", "Return a Gaussian"),
    ],
    "5.3": [
        ("def lstm_step(x, h, c, w_ih, w_hh, b_ih, b_hh): return (w_ih @ x + b_ih), c", "Inputs are rows"),
        (lstm(order="f, i, g, o"), "Input and forget gate are swapped"),
        (lstm(order="i, f, o, g"), "torch's order is i f g o"),
        (lstm(h="o.sigmoid() * c_new, c_new"), "left out the tanh on the cell"),
        (lstm(c="f.sigmoid() * c + i.sigmoid() * g.sigmoid()"), "needs a tanh"),
        (lstm(c="i.sigmoid() * g.tanh()"), "f * c is missing"),
        (lstm(h="c_new, o.sigmoid() * c_new.tanh()"), "return h first"),
    ],
    "5.4": [
        ("def kl_per_step(q, y, prior): return q.kl(prior(y)).sum(-1)", "leave out the last one"),
        ("def kl_per_step(q, y, prior): return q.kl(prior(y[:, :-1])).mean(-1)", "average over the coordinates"),
        ("def kl_per_step(q, y, prior): return prior(y[:, :-1]).kl(q).sum(-1)", "direction is turned"),
        ("def kl_per_step(q, y, prior): return q.kl(prior(y[:, 1:])).sum(-1)", "Off by one"),
        ("def kl_per_step(q, y, prior): return q.kl(prior(y[:, :-1])).sum((1, 2))", "one number a clip"),
        ("def kl_per_step(q, y, prior): return q.kl(Gaussian.standard(q.mean)).sum(-1)", "compare with N(0, I)"),
    ],
}  # fmt: skip
