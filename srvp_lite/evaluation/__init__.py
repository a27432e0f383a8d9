"""The paper's protocol. Read in chapter 8. Scoring knows no training.

`drawing`: many futures of each clip. `scoring`: their scores, summed up as they come. `protocol`: the two together.
`results`: those scores as a table and a file. `pictures`: the best, the worst and a random future. `paper_tables`: the
paper's numbers, ours below.
"""

from srvp_lite.evaluation.drawing import Scoring, draw_futures
from srvp_lite.evaluation.paper_tables import comparison
from srvp_lite.evaluation.pictures import best_worst_random
from srvp_lite.evaluation.protocol import score_samples
from srvp_lite.evaluation.results import Results, calibration, evaluate, table
from srvp_lite.evaluation.scoring import Scores

__all__ = [
    "Results", "Scores", "Scoring", "best_worst_random", "calibration", "comparison", "draw_futures", "evaluate",
    "score_samples", "table",
]  # fmt: skip
