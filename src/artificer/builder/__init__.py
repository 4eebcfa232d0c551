"""Recipe, keys, decisions, and what is made of them."""
