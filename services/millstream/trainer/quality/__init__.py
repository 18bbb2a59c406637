"""How good lists are. Nothing here knows which model made them."""
