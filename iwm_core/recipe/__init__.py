"""From a recipe's name and the words of a command line to typed settings and components."""
