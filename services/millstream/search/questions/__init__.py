"""What shoppers ask, answered from what the shop knows. START HERE: answering.py."""
