"""Training. Read in chapter 7, in this order.

`loop`: a run, top to bottom. `step`: one step, and what makes it fast. `schedule`: the learning rate, by steps or by the
clock. `run_folder`: what is written to disk. `distributed`: many processes, one run. `prefetch`: the next clips while
the step runs. `roofline`: what a step must cost. `describe`: what a run says before it starts.
"""

from srvp_lite.training.loop import Diverged, train

__all__ = ["Diverged", "train"]
