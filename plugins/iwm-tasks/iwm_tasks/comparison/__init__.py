"""``iwm compare``: protocols side by side on one world model, with intervals and costs (PAPER §7, the paper's Figure 3)."""
