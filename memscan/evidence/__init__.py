"""How much a distance is worth: detail, chance, rates."""
