"""What an answer is worth: ranks, relative errors, spreads, similarities."""
