"""One file per group of routes; each takes from parts.py what it works with."""
