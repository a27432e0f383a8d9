"""How fast it is. Read in chapter 7.

`speed`: steps, clips and scores per second. `stages`: a step, part by part. `official_code`: the official code beside
ours.
"""
