"""SERVICE: what the accumulated events tell of the shop. `pipeline.py` tells the story."""
