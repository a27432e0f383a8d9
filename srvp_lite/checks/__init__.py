"""Checks for the book's exercises: they say what is wrong, not only that something is.

In a chapter: `checks.psnr(my_psnr)` as the last line of a cell. No grader, no network. Each chapter's checks are a
module of their own, all of them functions of what the reader wrote, and all of them are reached as `checks.name`.
"""

from srvp_lite.checks.chapter_01 import average_of_futures, psnr, reflect
from srvp_lite.checks.result import Diagnosis, Result, exercise

__all__ = ["Diagnosis", "Result", "average_of_futures", "exercise", "psnr", "reflect"]
