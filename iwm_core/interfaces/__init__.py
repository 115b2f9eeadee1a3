"""What a plugin implements: one abstract base class a kind, and the few records that pass between them.

A component is a dataclass; its fields are its config, its command-line overrides and its documentation. Stateless kinds (actions,
target selectors, evaluators, data sources, tasks) *are* the dataclass; kinds with weights (encoders, predictors, heads, protocols) are
built by it.

Axes: ``b`` batch · ``h w`` pixels · ``n`` patches (gh*gw) · ``k`` context patches · ``m`` target groups · ``t`` patches a group ·
``d`` width · ``a`` numbers of an encoded action · ``p`` parameters of an action · ``o`` outputs of a head.
"""

from iwm_core.component import Component as Component
from iwm_core.component import option as option
from iwm_core.constant import constant as constant
from iwm_core.draws import Draws as Draws
from iwm_core.interfaces.actions import Action as Action
from iwm_core.interfaces.actions import ActionParams as ActionParams
from iwm_core.interfaces.actions import Views as Views
from iwm_core.interfaces.data import NOT_COUNTED as NOT_COUNTED
from iwm_core.interfaces.data import CorruptImage as CorruptImage
from iwm_core.interfaces.data import DataSource as DataSource
from iwm_core.interfaces.data import Factor as Factor
from iwm_core.interfaces.data import Images as Images
from iwm_core.interfaces.data import Observed as Observed
from iwm_core.interfaces.evaluation import EvaluationData as EvaluationData
from iwm_core.interfaces.evaluation import Evaluator as Evaluator
from iwm_core.interfaces.evaluation import ImageBatch as ImageBatch
from iwm_core.interfaces.evaluation import Track as Track
from iwm_core.interfaces.evaluation import WorldModel as WorldModel
from iwm_core.interfaces.targets import Targets as Targets
from iwm_core.interfaces.targets import TargetSelector as TargetSelector
from iwm_core.interfaces.tuning import Backbone as Backbone
from iwm_core.interfaces.tuning import Protocol as Protocol
from iwm_core.interfaces.tuning import Task as Task
from iwm_core.interfaces.tuning import WorldModelParts as WorldModelParts
from iwm_core.interfaces.weights import Encoder as Encoder
from iwm_core.interfaces.weights import EncoderComponent as EncoderComponent
from iwm_core.interfaces.weights import HeadComponent as HeadComponent
from iwm_core.interfaces.weights import Predictor as Predictor
from iwm_core.interfaces.weights import PredictorComponent as PredictorComponent
from iwm_core.results import CONTROLS as CONTROLS
from iwm_core.results import Chart as Chart
from iwm_core.results import Evaluation as Evaluation
from iwm_core.results import Gallery as Gallery
from iwm_core.results import Metric as Metric
from iwm_core.results import NotApplicable as NotApplicable
from iwm_core.results import Row as Row
from iwm_core.results import Series as Series
