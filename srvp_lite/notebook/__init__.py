"""What the chapters themselves need, and nothing else does.

`session`: the first cell. `tables`: tables on a page. `diagram`: the map of the model. `checks`: the exercises' checks,
a module a chapter.
"""

from srvp_lite.notebook.session import Session, begin, interact
from srvp_lite.notebook.tables import Table, results_table

__all__ = ["Session", "Table", "begin", "interact", "results_table"]
