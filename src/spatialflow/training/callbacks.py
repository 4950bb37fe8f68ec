"""What a training does besides stepping: show losses, validate at the end, keep checkpoints."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, TQDMProgressBar
from lightning.pytorch.trainer.states import TrainerFn

from spatialflow.config import TrainConfig
from spatialflow.training.schedule import total_steps

LAST, BEST = "last.ckpt", "best.ckpt"


class LossBar(TQDMProgressBar):
    """Progress with every loss, and panoptic quality once it is known."""

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Short names: ``cls`` instead of ``loss/cls``; no version, as each run has a folder of its own."""
        metrics = super().get_metrics(trainer, pl_module)
        return {name.rpartition("/")[2]: value for name, value in metrics.items() if name != "v_num"}

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """End the bar's line, so that the error gets one of its own."""
        with contextlib.suppress(TypeError):  # no bar yet
            self.train_progress_bar.close()


class ValidateAtEnd(Callback):
    """Validates after the very last step, be it in the middle of an epoch or between two validations."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Tell the Trainer to validate and stop."""
        if trainer.global_step >= total_steps(self.config, int(trainer.num_training_batches)):
            trainer.check_val_every_n_epoch = 1
            trainer.should_stop = True


class KeepCheckpoints(Checkpoint):
    """Writes ``last.ckpt`` after each epoch, ``best.ckpt`` when a validation has the highest PQ so far.

    ``say`` gets a line on each validation, on the first rank.
    """

    def __init__(self, folder: Path, say: Callable[[str], object] = lambda line: None) -> None:
        self.folder = folder
        self.say = say
        self.best_pq = -1.0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Maybe write the best."""
        keys = {"PQ": "pq", "things": "pq_things", "stuff": "pq_stuff"}
        values = {name: float(trainer.callback_metrics[f"val/{key}"]) for name, key in keys.items()}
        is_best = values["PQ"] > self.best_pq
        if trainer.is_global_zero:
            shown = "  ".join(f"{name} {value:5.1f}" for name, value in values.items())
            self.say(f"epoch {trainer.current_epoch + 1:3}  {shown}{'  best so far' if is_best else ''}")
        if trainer.state.fn == TrainerFn.FITTING and is_best:
            self.best_pq = values["PQ"]
            trainer.save_checkpoint(self.folder / BEST)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the last."""
        trainer.save_checkpoint(self.folder / LAST)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training must know."""
        return {"best_pq": self.best_pq}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on."""
        self.best_pq = state_dict["best_pq"]
