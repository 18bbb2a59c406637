"""How often the item that was meant is found."""
