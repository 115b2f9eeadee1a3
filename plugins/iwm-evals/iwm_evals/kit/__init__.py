"""What the components of iwm-evals must keep to, for their authors' tests; needs iwm-devkit."""
