"""How long a run is and what its learning rate is on the way: by steps, as in the paper, or by the clock.

Read in chapter 7. Under a time budget nobody knows the number of steps beforehand, so it is estimated again and
again from the speed so far. The learning rate depends only on the share of the run that is over, so the whole
schedule, its fall to zero included, fits whatever the machine manages.
"""

from __future__ import annotations

import math

from srvp_lite.config import TrainConfig, seconds


class Schedule:
    """The learning rate at each step, and the number of steps of the run.

    `total` is that number: given by the configuration, or under a time budget the present estimate (at first none).
    """

    def __init__(self, config: TrainConfig, total: float | None = None):
        self.config = config
        self.budget = None if config.time_budget is None else seconds(config.time_budget)
        self.total = float(config.steps) if self.budget is None else total
        self.mark: tuple[int, float] | None = None  # a step and when it was done, to measure the speed from

    def learning_rate(self, step: int) -> float:
        """The learning rate of step number `step`, counted from 0."""
        c = self.config
        constant = c.constant_steps / max(1, c.steps)
        over = 0.0 if self.total is None else min(1.0, step / max(1.0, self.total))
        left = 1.0 if over <= constant else (1 - over) / (1 - constant)  # of the fall
        if c.decay == "cosine":
            left = 0.5 * (1 - math.cos(math.pi * left))
        warmup = c.warmup_steps
        if self.budget is not None and self.total is not None:
            warmup = min(warmup, self.total / 20)  # a short budget does not go by in warming up
        return c.lr * min(left, (step + 1) / max(1.0, warmup))

    def kl_share(self, step: int) -> float:
        """The share of beta_y, beta_z and residual_penalty that counts at step number `step`, counted from 0."""
        c = self.config
        begin, end = c.kl_warmup
        over = 0.0 if self.total is None else min(1.0, step / max(1.0, self.total))
        climbed = 1.0 if over >= end else 0.0 if over <= begin else (over - begin) / (end - begin)
        return c.kl_start ** (1 - climbed)

    def finished(self, steps_done: int) -> bool:
        return self.total is not None and steps_done >= self.total

    def refit(self, steps_done: int, seconds_used: float, reserve: float = 0.0) -> None:
        """Under a time budget, estimates the number of steps anew: those done, and those the time left allows.

        `seconds_used` is all the run's time so far, `reserve` what the work after the last step will take. The speed
        is counted from the first call on, so that a slow start (compilation, say) does not pass for slowness.
        """
        if self.budget is None:
            return
        left = self.budget - reserve - seconds_used
        if left <= 0:
            self.total = float(steps_done)
        elif self.mark is None:
            self.mark = (steps_done, seconds_used)
        elif seconds_used > self.mark[1] and steps_done > self.mark[0]:
            rate = (steps_done - self.mark[0]) / (seconds_used - self.mark[1])
            self.total = steps_done + left * rate
