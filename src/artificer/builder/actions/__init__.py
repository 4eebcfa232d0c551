"""How each kind of target is made."""
