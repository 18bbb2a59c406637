"""What an experiment has shown so far, and whether it may be stopped. Pure.

`report.py` tells the story: sums per variant in, verdict out."""
