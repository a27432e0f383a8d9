"""Training. Read in chapter 7, in this order.

`loop`: a run, top to bottom. `step`: one step, and what makes it fast. `schedule`: the learning rate, by steps or by
the clock. `run`: a run's bookkeeping, its clock, log and scores. `run_folder`: what is written to disk. `stop`: signals
that ask a run to save and stop. `distributed`: many processes, one run. `prefetch`: the next clips while the step runs.
`roofline`: what a step must cost. `describe`: what a run says before it starts.
"""

from srvp_lite.training.loop import train
from srvp_lite.training.run import Diverged
from srvp_lite.training.stop import StopRequest

__all__ = ["Diverged", "StopRequest", "train"]
