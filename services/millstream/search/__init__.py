"""Free text to items. START HERE: index.py."""
