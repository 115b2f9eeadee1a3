"""Kinds of components, as a plugin declares them. Needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ComponentKind:
    """A kind of component: what its classes derive from, and where recipes choose them.

    Attributes:
        name: ``target_selector``.
        hook: by which plugins register components of this kind: ``iwm_target_selectors``.
        base: ``module:class`` that they derive from, imported when components are asked for.
        group: where a recipe chooses: ``targets``.
        several: a recipe chooses several, by name and in its own order.
        reserved: names that mean something else in recipes.
        check: ``module:function`` that checks one instance, for the conformance kit; empty where the kit has its own.
        template: ``module:folder`` of the template of a package, for the scaffold; empty where the scaffold has its own, or there is none.
        use: a command line that uses the component ``example``, which the template makes.
    """

    name: str
    hook: str
    base: str
    group: str
    several: bool = False
    reserved: tuple[str, ...] = ()
    check: str = ""
    template: str = ""
    use: str = ""
