"""Predictors: the narrow ViT with one file for each way to condition it on the action, and the identity.

A new scheme is one more file: a subclass of `iwm_vit.predictors.narrow_vit.NarrowViT` that overrides where the action enters, and a
`NarrowViTComponent` that names it. Plugins may import this package.
"""
