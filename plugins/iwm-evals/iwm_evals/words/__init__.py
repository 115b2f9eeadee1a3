"""How findings are told: sentences, charts, galleries."""
