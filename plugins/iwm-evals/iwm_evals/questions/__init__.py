"""What a world model is asked: which views, which parts of an action, which corruptions, among which candidates."""
