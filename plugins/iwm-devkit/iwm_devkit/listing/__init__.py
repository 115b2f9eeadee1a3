"""Verbs that show what there is: recipes, a recipe whole, components and their options."""
