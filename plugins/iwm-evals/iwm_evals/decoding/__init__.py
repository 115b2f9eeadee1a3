"""Pictures of tokens: a decoder that is trained on a frozen model's tokens after pretraining, and is no part of the world model."""
