"""Checks for the book's exercises: they say what is wrong, not only that something is.

In a chapter: `checks.psnr(my_psnr)` as the last line of a cell. No grader, no network. Each chapter's checks are a
module of their own, functions of what the reader wrote; all of them are reached as `checks.name`.
"""

from srvp_lite.notebook.checks.chapter_01 import *
from srvp_lite.notebook.checks.chapter_02 import *
from srvp_lite.notebook.checks.chapter_03 import *
from srvp_lite.notebook.checks.chapter_04 import *
from srvp_lite.notebook.checks.chapter_05 import *
from srvp_lite.notebook.checks.chapter_06 import *
from srvp_lite.notebook.checks.chapter_07 import *
from srvp_lite.notebook.checks.chapter_08 import *
from srvp_lite.notebook.checks.chapter_09 import *
