"""How good lists are as time goes by: recommend, score, then learn (prequential evaluation)."""
