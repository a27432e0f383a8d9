"""The paper's protocol. Read in chapter 8. Scoring knows no training.

`protocol`: many futures of each clip, scored. `results`: those scores as a table and a file. `pictures`: the best, the
worst and a random future. `paper_tables`: the paper's numbers, ours below.
"""

from srvp_lite.evaluation.paper_tables import comparison
from srvp_lite.evaluation.pictures import best_worst_random
from srvp_lite.evaluation.protocol import Scores, score_samples
from srvp_lite.evaluation.results import calibration, evaluate, table

__all__ = ["Scores", "best_worst_random", "calibration", "comparison", "evaluate", "score_samples", "table"]
