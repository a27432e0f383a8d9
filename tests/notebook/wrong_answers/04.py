"""Typical wrong answers to chapter 4's exercises, and words of the diagnosis each should get."""

ROLL = """
def euler_rollout(f, y, z, K):
    states = [y]
    for step in range(z.shape[1] * K):
        states.append(states[-1] + {step})
    return torch.stack(states, dim=1)
"""
CLOCK = """
def euler_rollout(f, y, z, K):
    states, t = [y], 0.0
    for _ in range(z.shape[1] * K):
        states.append(states[-1] + f(torch.cat([states[-1], z[:, int(t)]], -1)) / K)
        t += 1 / K
    return torch.stack(states, dim=1)
"""
CLOCK_LOOP = """
def euler_rollout(f, y, z, K):
    states, t = [y], 0.0
    while t < z.shape[1]:
        states.append(states[-1] + f(torch.cat([states[-1], z[:, min(int(t), z.shape[1] - 1)]], -1)) / K)
        t += 1 / K
    return torch.stack(states, dim=1)
"""
RIGHT = "f(torch.cat([states[-1], z[:, step // K]], -1)) / K"
MID = "def midpoint_step(f, y, z, dt):\n    g = lambda y: f(torch.cat([y, z], -1))\n    m = y + dt / 2 * g(y)\n    return "

WRONG = {
    "4.1": [
        (ROLL.format(step=RIGHT.replace(" / K", "")), "dt is missing"),
        (ROLL.format(step=RIGHT.replace("step // K", "step % z.shape[1]")), "One z serves a whole frame"),
        (ROLL.format(step=RIGHT.replace("step // K", "min(step // K + 1, z.shape[1] - 1)")), "begin with the second z"),
        (ROLL.format(step=RIGHT.replace("step // K", "step")), "stopped with IndexError"),
        (CLOCK, "count steps with integers"),
        (CLOCK_LOOP, "count steps with integers"),
        (ROLL.format(step=RIGHT).replace("states, dim=1", "states[1:], dim=1"), "belongs in front"),
        (ROLL.format(step=RIGHT).replace("states, dim=1", "states[::K], dim=1"), "Only the states at the frames"),
        (ROLL.format(step=RIGHT).replace("states, dim=1", "states"), "Time comes first"),
    ],
    "4.2": [
        ("def frame_indices(n, K, rate): return range(0, n * K + 1, K // rate)", "begin one frame later"),
        ("def frame_indices(n, K, rate): return range(K // rate - 1, n * K, K // rate)", "stands at time s / K"),
        ("def frame_indices(n, K, rate): return range(0, n * K, K // rate)", "stands at time s / K"),
        ("def frame_indices(n, K, rate): return range(K // rate, n * K, K // rate)", "the last frame"),
        ("def frame_indices(n, K, rate): return range(K, n * K + 1, K)", "at rate 1"),
        ("def frame_indices(n, K, rate): return n * rate", "Return a list"),
    ],
    "4.3": [
        ("def midpoint_step(f, y, z, dt): return y + dt * f(torch.cat([y, z], -1))", "Euler's step"),
        (MID + "m + dt / 2 * g(m)", "two half Euler steps"),
        (MID + "m + dt * g(m)", "starts from the middle"),
        (MID + "y + dt * g(y + dt * g(y))", "the midpoint is half a step away"),
        (MID + "y + dt / 2 * (g(y) + g(y + dt * g(y)))", "Heun's method"),
        (MID + "y + g(m)", "multiply it by dt"),
    ],
    "4.4": [
        ("def measured_order(a, e, b, d): return math.log2(e / d)", "divided by"),
        ("def measured_order(a, e, b, d): return e / d", "ratio of the errors"),
        ("def measured_order(a, e, b, d): return math.log(e / d) / math.log(b / a)", "sign turned"),
        ("def measured_order(a, e, b, d): return (e - d) / (a - b)", "without logarithms"),
        ("def measured_order(a, e, b, d): return math.log(a / b) / math.log(e / d)", "upside down"),
    ],
}  # fmt: skip
