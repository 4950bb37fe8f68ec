"""The Lightning module: it wires, logs and optimises; it computes nothing."""

import math
from typing import Any, cast

import torch
from lightning import LightningModule
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from spatialflow.config import Config
from spatialflow.criterion import Criterion
from spatialflow.evaluation.average_precision import InstanceTable, Kind
from spatialflow.evaluation.panoptic_quality import PanopticQuality
from spatialflow.evaluation.pq_result import PQResult
from spatialflow.evaluation.ranks import Ranks
from spatialflow.evaluation.segment_table import SegmentTable
from spatialflow.models.spatialflow import SpatialFlow
from spatialflow.models.weights import describe
from spatialflow.postprocess.pipeline import find, merge_found
from spatialflow.structures import Batch
from spatialflow.training.overflow import OverflowGuard
from spatialflow.training.resume import RUN
from spatialflow.training.schedule import build_optimizer, lr_factor, scaled_lr


class PanopticModule(LightningModule):
    """A model in training. The checkpoint it writes says what model it is of, so every command reads it."""

    def __init__(self, model: SpatialFlow, config: Config) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.criterion = Criterion(config.loss, config.model, model.categories)
        self.quality = PanopticQuality(model.categories)
        self.instances = InstanceTable(model.categories)
        self.last_result: PQResult | None = None
        self._guard = OverflowGuard(model, is_fp16=False)
        self._settings: list[dict[str, Any]] = []
        self._run: dict[str, int] = {}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Both calls of the model and the losses; scalar total."""
        images = batch.images.contiguous(memory_format=torch.channels_last)
        self._guard.before_step()
        outputs = self.model(images)
        proposals = self.criterion.propose(outputs, batch)
        mask_logits = self.model.segment(outputs.mask_features, proposals.boxes)
        losses = self.criterion(outputs, mask_logits, proposals, batch)
        total = losses.total
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self._guard.check(total, self.global_step, rate)
        shown = {
            "cls": losses.cls.sum(),
            "box": losses.box.sum(),
            "mask": losses.mask,
            "stuff": losses.stuff,
            "total": total,
        }
        self.log_dict({f"loss/{k}": v.detach() for k, v in shown.items()}, prog_bar=True)
        self.log("lr", rate)
        return total

    def on_train_batch_end(self, *_: Any) -> None:
        """Undo what an overflow has done."""
        self._guard.restore()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Adds a batch to the panoptic quality, and to average precision if that is wanted."""
        originals = [target.original_size for target in batch.targets]
        images = batch.images.contiguous(memory_format=torch.channels_last)
        for found, target in zip(
            find(self.model, self.model(images), batch.image_sizes, originals), batch.targets, strict=True
        ):
            prediction = merge_found(self.model, found)
            self.quality.update(
                prediction.segment_ids,
                SegmentTable.from_prediction(prediction),
                target.id_map.cpu(),
                SegmentTable.from_target(target),
            )
            if self.config.train.average_precision:
                self.instances.add(target, found.things)

    def on_validation_epoch_start(self) -> None:
        """Begin anew."""
        self.quality.reset()
        self.instances = InstanceTable(self.model.categories)

    def on_validation_epoch_end(self) -> None:
        """Add up the ranks and log PQ in percent."""
        if self.trainer.world_size > 1:
            state = torch.from_numpy(self.quality.state).to(self.device)
            total = cast(Tensor, self.trainer.strategy.reduce(state, reduce_op="sum"))
            self.quality.load_state(total.cpu().numpy())
        self.last_result = result = self.quality.compute()
        groups = {"pq": result.all, "pq_things": result.things, "pq_stuff": result.stuff}
        # every rank has the whole already, so that averaging over ranks changes nothing
        self.log_dict({f"val/{k}": 100 * g.pq for k, g in groups.items()}, prog_bar=True, sync_dist=True)
        if self.config.train.average_precision:
            self._log_average_precision()

    def _log_average_precision(self) -> None:
        """In percent, by the first rank, which gathers what the others found; nothing without any thing."""
        self.instances.gather(Ranks(self.global_rank, self.trainer.world_size))
        if self.global_rank == 0:
            kinds: tuple[Kind, ...] = ("bbox", "segm")
            values = {f"val/ap_{kind}": 100 * self.instances.compute(kind).ap for kind in kinds}
            known = {name: value for name, value in values.items() if not math.isnan(value)}
            self.log_dict(known, rank_zero_only=True)

    def configure_optimizers(self) -> Any:
        """The recipe's optimiser, and its rate for every step of the whole training."""
        train = self.config.train
        batch = self.config.data.batch_size * self.trainer.world_size
        optimizer = build_optimizer(self.model, train, scaled_lr(train, batch))
        kept = ("lr", "weight_decay", "momentum")
        self._settings = [{k: group[k] for k in kept if k in group} for group in optimizer.param_groups]
        _ = self.trainer.estimated_stepping_batches  # counts the batches of an epoch
        steps_per_epoch = int(self.trainer.num_training_batches)
        self._run = {"batch": batch, "steps_per_epoch": steps_per_epoch}
        schedule = LambdaLR(optimizer, lr_factor(train, steps_per_epoch))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_fit_start(self) -> None:
        """Know the precision."""
        self._guard = OverflowGuard(self.model, self.trainer.precision == "16-mixed")

    def on_train_start(self) -> None:
        """After a resume: the rate, decay and momentum of the recipe as it is now, not of the checkpoint."""
        schedule = cast(LambdaLR, self.lr_schedulers())
        schedule.base_lrs = [settings["lr"] for settings in self._settings]
        for group, settings, factor in zip(
            schedule.optimizer.param_groups, self._settings, schedule.lr_lambdas, strict=True
        ):
            group.update(settings, initial_lr=settings["lr"])
            group["lr"] = settings["lr"] * factor(schedule.last_epoch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put config and categories beside the weights."""
        checkpoint.update(describe(self.model))
        checkpoint[RUN] = self._run
