"""The paper's claims about image world models (PAPER §4 to §7), and ours, for `iwm reproduce`. Needs no torch."""

from iwm_recipes.claims.conditioning import CONDITIONING
from iwm_recipes.claims.difficulty import DIFFICULTY
from iwm_recipes.claims.equivariance import EQUIVARIANCE
from iwm_recipes.claims.multitask import MULTITASK
from iwm_recipes.claims.ours import OURS
from iwm_recipes.claims.predictor import PREDICTOR
from iwm_recipes.claims.sensitivity import SENSITIVITY

CLAIMS = [CONDITIONING, PREDICTOR, DIFFICULTY, EQUIVARIANCE, OURS, MULTITASK, SENSITIVITY]
