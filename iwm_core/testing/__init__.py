"""The conformance kit: what every component of a kind must keep to, as plain functions for a plugin's tests.

``check_action(Gamma())`` is the whole test of an action's contract; there is one such function a kind. Each raises `AssertionError`, whose
text says what is wrong and how to mend it. They run in seconds on a CPU, need no data, and also find what goes wrong on a GPU only.

`known_model` is a world whose latents are known functions of image and action: on it, every number that an evaluator finds has a value
that can be told in advance.
"""

from iwm_core.testing.actions import check_action as check_action
from iwm_core.testing.components import check_component as check_component
from iwm_core.testing.data_sources import check_data_source as check_data_source
from iwm_core.testing.encoders import check_encoder as check_encoder
from iwm_core.testing.evaluators import check_evaluator as check_evaluator
from iwm_core.testing.heads import check_head as check_head
from iwm_core.testing.predictors import check_predictor as check_predictor
from iwm_core.testing.target_selectors import check_target_selector as check_target_selector

CHECKS = {
    "encoder": check_encoder,
    "predictor": check_predictor,
    "action": check_action,
    "target_selector": check_target_selector,
    "head": check_head,
    "evaluator": check_evaluator,
    "data_source": check_data_source,
}
"""The check of each kind that has one; each takes an instance of the component, and works without further arguments."""
