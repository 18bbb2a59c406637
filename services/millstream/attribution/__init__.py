"""SERVICE: log to Parquet. `pipeline.py` tells the story, `wiring.run` starts it."""
