"""Student, teacher and predictor; a recipe's actions in sequence; the frozen model and its search for actions."""
