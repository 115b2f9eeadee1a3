"""How findings are presented: sentences, charts, galleries."""
